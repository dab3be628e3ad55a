"""Refusals are audited: one row each, bounded per address, and nothing secret in them."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from core.access import services
from core.access.keys import KEYS
from core.access.models import ApiKey, User
from core.access.principals import Principal, system
from core.audit import refusals
from core.audit.models import AuditRecord
from tests.access.conftest import CONSOLE_KEY, bearer
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def rows() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.values_list("action", "target", "actor"))


@pytest.mark.parametrize(("method", "path", "headers", "expected"), [
    ("post", "/api/things", {}, 1),
    ("delete", "/api/keys/x", {}, 1),
    ("get", "/api/things", bearer("wrong"), 1),
    ("post", "/api/things", bearer("wrong"), 1),
    ("get", "/api/things", {}, 0),
    ("get", "/ui/", {}, 0),
    ("post", "/ui/", {}, 1),
    ("get", "/api/nothing", bearer(CONSOLE_KEY), 0),
])  # fmt: skip
def test_one_row_for_credentials_or_writes(
    client: Client,
    prod: None,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: int,
) -> None:
    getattr(client, method)(path, headers=headers)

    assert rows() == [("request.refused", f"{method.upper()} {path}", "anonymous")] * expected


def test_it_says_who_was_refused_and_why(client: Client, prod: None) -> None:
    client.force_login(make_user("olena"))

    client.post("/api/settings")

    row = AuditRecord.objects.get()
    assert (row.actor, row.outcome, row.detail) == (
        "olena",
        "refused",
        '{"status":403,"code":"forbidden"}',
    )


def test_a_missing_csrf_token_on_a_page_is_one_row(prod: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("olena"))

    assert client.post("/ui/logout").status_code == 403

    assert rows() == [("request.refused", "POST /ui/logout", "olena")]


def test_a_failed_login_is_one_row(client: Client) -> None:
    client.post("/ui/login", {"username": "somebody", "password": "wrong"})

    assert rows() == [("session.login", "unknown", "anonymous")]


def test_queries_and_tokens_in_addresses_are_left_out(prod: None) -> None:
    client = Client(enforce_csrf_checks=True)

    client.post("/ui/welcome/one-time-token?password=hunter2")

    assert rows() == [("request.refused", "POST /ui/welcome/<token>", "anonymous")]


def test_a_flood_is_thirty_rows_and_one_that_says_so(client: Client, prod: None) -> None:
    for _ in range(50):
        client.post("/api/things")
    client.post("/api/things", REMOTE_ADDR="192.0.2.9")

    actions = [action for action, _, _ in rows()]
    assert actions.count("request.refused") == refusals.PER_WINDOW + 1
    assert actions.count("request.suppressed") == 1


def test_a_refusal_stands_when_it_cannot_be_written(
    client: Client,
    prod: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(refusals, "record", fail)

    assert client.post("/api/things").status_code == 401
    assert "was not written" in caplog.text


def test_keys_appear_nowhere(client: Client, prod: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = services.create_key("ci", ["read"], None, system("tests"))[1]
    secret = key.rsplit("_", 1)[1]
    client.get("/api/things", headers=bearer(key))
    client.post("/api/things", headers={"X-API-Key": key})
    client.get(f"/api/things?token={key}")
    client.post(f"/api/things?token={key}", headers=bearer(CONSOLE_KEY))
    client.get("/api/things", headers=bearer(key[:-1]))
    client.get("/api/things", headers=bearer(CONSOLE_KEY + "x"))
    make_user("olena", password=PASSWORD)
    client.post("/ui/login", {"username": secret, "password": PASSWORD})

    stored = str([list(model.objects.values()) for model in (ApiKey, AuditRecord, User)])
    known = repr(KEYS.current()) + repr(KEYS) + repr(ApiKey.objects.get())
    for canary in (secret, secret[:20], CONSOLE_KEY, PASSWORD):
        assert canary not in stored
        assert canary not in known
        assert canary not in caplog.text
    assert ApiKey.objects.get().digest not in known


def test_addresses_that_a_proxy_makes_up_do_not_fill_the_audit(prod: None) -> None:
    for number in range(400):
        actor = Principal(kind="anonymous", name="anonymous", address=f"192.0.2.{number}")
        refusals.record_refusal(actor, "GET /", 401, "unauthenticated", peer="10.0.0.1")

    actions = [action for action, _, _ in rows()]
    assert actions.count("request.refused") == refusals.PER_WINDOW * refusals.PEER_FACTOR
    assert actions.count("request.suppressed") == 1


class TestSoon:
    """What a refusal writes, when the database takes its time."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_it_gives_the_result_and_the_error(self) -> None:
        assert refusals.soon(lambda: 3) == 3
        with pytest.raises(DatabaseError):
            refusals.soon(self._fail)

    @staticmethod
    def _fail() -> None:
        raise DatabaseError

    def test_nobody_waits_longer_than_told_and_everything_is_done_once(self) -> None:
        release, done = threading.Event(), []
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            refusals.soon(lambda: release.wait(10))
        first = time.monotonic() - began
        for number in range(5):
            with pytest.raises(TimeoutError):
                refusals.soon(lambda n=number: done.append(n))
        all_of_them = time.monotonic() - began

        release.set()
        refusals._CLERK.finish()

        assert first < refusals.WAIT_S + 0.5
        assert all_of_them < first + 0.5
        assert done == [0, 1, 2, 3, 4]

    def test_the_queue_is_bounded(self) -> None:
        release, done = threading.Event(), []
        for _ in range(refusals._WAITING + 50):
            with suppress(TimeoutError):
                refusals.soon(lambda: done.append(release.wait(10)))
        release.set()
        refusals._CLERK.finish()

        assert refusals._WAITING <= len(done) <= refusals._WAITING + 1
