"""Errors: one form under /api/, pages elsewhere, and nothing that is nobody's business."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import AsyncClient, Client

from core.access.authenticate import authenticate_scope
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
    ("get", "/api/fails/size", 413, "body_too_large"),
    ("get", "/api/foreseen/size", 413, "body_too_large"),
    *(("get", f"/api/{place}/{how}", 400, "bad_request")
      for place in ("fails", "foreseen") for how in ("suspicion", "fields", "data", "nul", "surrogate")),
]  # fmt: skip


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
    (("body", "events", "function-wrap[check()]", "session_id"), "session_id"),
    (("body", "events", "list[function-wrap[check()]]", 2, "session_id"), "[2].session_id"),
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


@pytest.mark.parametrize(("how", "status"), [
    ("size", 413), ("suspicion", 400), ("fields", 400), ("data", 400), ("nul", 400), ("surrogate", 400),
])  # fmt: skip
def test_a_page_says_the_same(quiet: Client, how: str, status: int) -> None:
    assert quiet.get(f"/ui/foreseen/{how}").status_code == status


@pytest.mark.parametrize(("path", "environment"), [
    ("/ui/login", {"CONTENT_TYPE": "application/x-www-form-urlencoded"}), ("/api/body", {}),
    ("/api/things", {"HTTP_AUTHORIZATION": f"Bearer {CONSOLE_KEY}", "CONTENT_TYPE": "application/json"}),
])  # fmt: skip
def test_a_body_over_djangos_limit_is_a_413(
    quiet: Client, prod: None, settings: Any, path: str, environment: dict[str, str]
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    kind = environment.get("CONTENT_TYPE", "application/octet-stream")
    more = {name: value for name, value in environment.items() if name != "CONTENT_TYPE"}

    assert quiet.post(path, b"a" * 2000, content_type=kind, **more).status_code == 413


@pytest.mark.parametrize(("path", "expected"), [
    ("/api/things", 200), ("/api/async-things", 200), ("/api/nothing", 404), ("/api/stream", 502),
    ("/api/number/x", 422), ("/api/settings", 405),
])  # fmt: skip
def test_head_is_get_without_the_body(client: Client, path: str, expected: int) -> None:
    got, head = client.get(path), client.head(path)

    assert (got.status_code, head.status_code) == (expected, expected)
    if not head.streaming:
        assert (head.content, head["Content-Length"]) == (b"", str(len(got.content)))
        assert head["Content-Type"] == got["Content-Type"]


async def test_head_under_the_async_handler(async_client: AsyncClient) -> None:
    reply = await async_client.head("/api/async-things")

    assert (reply.status_code, reply.content, reply["Content-Length"]) == (200, b"", "20")


def test_a_405_of_a_readable_path_names_head(client: Client) -> None:
    assert "HEAD" in client.delete("/api/things")["Allow"]
    assert "HEAD" not in client.delete("/api/settings")["Allow"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/monitor/status", "/api/openapi.json"])
def test_what_is_only_read_says_so_before_it_asks_for_a_token(
    strict_client: Client, prod: None, method: str, path: str
) -> None:
    reply = getattr(strict_client, method)(path)

    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD")
    assert reply.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/ui/", "/ui/login", "/admin/", "/api/things", "/healthz"])
def test_nothing_takes_trace(strict_client: Client, path: str) -> None:
    reply = strict_client.trace(path)

    assert reply.status_code == 405
    assert reply["Allow"]


MALFORMED = ['"\\000aaaaaaaaaaa"', "A" * 32, "short", "a" * 65, "../../etc/passwd", '"a b"']


@pytest.mark.parametrize("cookie", MALFORMED)
def test_a_cookie_that_is_no_session_is_none(
    client: Client, prod: None, cookie: str, django_assert_num_queries: Any
) -> None:
    client.cookies.load("")
    header = f"sofiia_session={cookie}"
    with django_assert_num_queries(0):
        api = client.get("/api/things", HTTP_COOKIE=header)
        page = client.get("/ui/", HTTP_COOKIE=header)

    assert (api.status_code, page.status_code) == (401, 302)


@pytest.mark.parametrize("cookie", MALFORMED)
async def test_nor_is_it_on_a_raw_scope(prod: None, cookie: str) -> None:
    headers = [(b"host", b"localhost"), (b"cookie", f"sofiia_session={cookie}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/api/x", "headers": headers}

    principal = await authenticate_scope(scope)

    assert (principal.kind, principal.rights) == ("anonymous", frozenset())


def test_a_failure_in_a_middleware_is_mapped_too(
    quiet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("secret-host")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)

    reply = quiet.get("/api/things")

    assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
    assert reply["Retry-After"] == "5"


@pytest.mark.parametrize(("method", "path"), [
    ("get", "/api/audit?action=%00"), ("get", "/api/audit?actor=a%00b"), ("delete", "/api/keys/%00"),
    ("get", "/api/keys?after=%00"), ("get", "/api/number/%00"),
])  # fmt: skip
def test_a_nul_is_never_our_fault(quiet: Client, prod: None, method: str, path: str) -> None:
    assert getattr(quiet, method)(path, headers=bearer(CONSOLE_KEY)).status_code < 500
