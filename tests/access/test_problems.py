"""Errors: one form under /api/, pages elsewhere, and nothing that is nobody's business."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient, Client

from core.problems import field_path
from tests.access.conftest import CONSOLE_KEY, bearer

pytestmark = pytest.mark.django_db


@pytest.fixture
def quiet(client: Client) -> Client:
    """A client that does not raise what the server would have answered."""
    client.raise_request_exception = False
    return client


CASES = [
    ("get", "/api/nothing", 404, "not_found"),
    ("get", "/api/", 404, "not_found"),
    ("get", "/api/fails/gone", 404, "not_found"),
    ("get", "/api/fails/problem", 409, "conflict"),
    ("get", "/api/fails/crash", 500, "internal_error"),
    ("get", "/api/crash", 500, "internal_error"),
    ("delete", "/api/things", 405, "method_not_allowed"),
    ("trace", "/api/things", 405, "method_not_allowed"),
    ("get", "/api/number/x", 422, "invalid"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), CASES)
def test_errors_under_the_api_are_problems(
    quiet: Client, method: str, path: str, status: int, code: str
) -> None:
    reply = getattr(quiet, method)(path, headers={"X-Request-ID": "req-12345678"})

    body = reply.json()
    assert reply["Content-Type"] == "application/problem+json"
    assert (reply.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["request_id"] == "req-12345678"
    assert set(body) <= {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert "secret" not in reply.content.decode()
    assert "/srv" not in reply.content.decode()


@pytest.mark.parametrize(("method", "path", "status", "code"), CASES)
async def test_the_async_handler_answers_the_same(
    async_client: AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    async_client.raise_request_exception = False

    reply = await getattr(async_client, method)(path)

    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_a_405_names_the_methods_and_a_problem_keeps_its_headers(quiet: Client) -> None:
    assert set(quiet.delete("/api/things")["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    assert quiet.get("/api/fails/problem")["Retry-After"] == "3"


@pytest.mark.parametrize("host", ["evil.example", "testserver:99999x", "a b", "testserver,evil"])
def test_an_unknown_host_is_a_400(quiet: Client, host: str) -> None:
    reply = quiet.get("/api/things", headers={"Host": host})

    assert (reply.status_code, reply["Content-Type"]) == (400, "application/problem+json")
    assert host not in reply.content.decode()
    assert quiet.get("/ui/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(("body", "paths"), [
    ("{}", ["name"]),
    ('{"name": 3, "sizes": [1, "x"]}', ["name", "sizes[1]"]),
])  # fmt: skip
def test_invalid_input_names_the_fields(
    client: Client, prod: None, body: str, paths: list[str]
) -> None:
    reply = client.post(
        "/api/things", body, content_type="application/json", headers=bearer(CONSOLE_KEY)
    )

    assert reply.status_code == 422
    assert [error["path"] for error in reply.json()["errors"]] == paths


@pytest.mark.parametrize("body", ["{", "\x00", "nul", "[" * 50])
def test_a_body_that_is_no_json_is_a_400(client: Client, prod: None, body: str) -> None:
    reply = client.post(
        "/api/things", body, content_type="application/json", headers=bearer(CONSOLE_KEY)
    )

    assert reply.status_code == 400
    assert reply["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("loc", "path"), [
    (("body", "payload", "nodes", 0, "label"), "nodes[0].label"),
    (("body", "payload"), "payload"),
    (("query", "limit"), "limit"),
    (("path", "number"), "number"),
    (("name",), "name"),
    ((), ""),
])  # fmt: skip
def test_a_path_starts_at_the_field(loc: tuple[Any, ...], path: str) -> None:
    assert field_path(loc) == path


def test_a_stream_is_not_touched(client: Client) -> None:
    reply = client.get("/api/stream")

    assert (reply.status_code, b"".join(reply.streaming_content)) == (502, b"ab")


async def test_a_stream_is_not_touched_under_the_async_handler(async_client: AsyncClient) -> None:
    reply = await async_client.get("/api/stream")

    assert (reply.status_code, reply.streaming) == (502, True)


def test_a_page_that_fails_tells_nothing(quiet: Client) -> None:
    reply = quiet.get("/ui/crash")

    assert reply.status_code == 500
    assert "secret" not in reply.content.decode()
    assert reply["Cache-Control"] == "no-store"


def test_the_error_page_needs_no_template(quiet: Client, settings: Any) -> None:
    settings.TEMPLATES = settings.TEMPLATES[1:]

    assert b"Something failed here" in quiet.get("/ui/crash").content


def test_the_log_has_the_reason(quiet: Client, caplog: pytest.LogCaptureFixture) -> None:
    quiet.get("/api/fails/crash", headers={"X-Request-ID": "req-12345678"})

    record = next(record for record in caplog.records if record.name == "core.problems")
    assert record.request_id == "req-12345678"
    assert "secret-detail" in caplog.text
