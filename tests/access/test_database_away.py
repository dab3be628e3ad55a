"""While the database is away: what needs it says so, what does not goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from core.access.keys import KEYS
from core.access.models import User
from tests.access.conftest import CONSOLE_KEY, bearer

pytestmark = pytest.mark.django_db


@contextmanager
def _away() -> Iterator[None]:
    def fail(*_: Any) -> None:
        raise OperationalError("could not connect to server: secret-host")

    KEYS.forget()
    with connection.execute_wrapper(fail):
        yield


def test_the_console_key_still_works(client: Client, prod: None) -> None:
    with _away():
        assert client.get("/api/things", headers=bearer(CONSOLE_KEY)).status_code == 200


@pytest.mark.parametrize("key", ["wrong", "x" * 100])
def test_a_wrong_key_is_still_wrong(client: Client, prod: None, key: str) -> None:
    with _away():
        assert client.get("/api/things", headers=bearer(key)).status_code == 401


def test_an_issued_key_and_a_session_are_503(
    client: Client, prod: None, make_key: Any, operator: User
) -> None:
    key = make_key("read")
    client.force_login(operator)
    with _away():
        replies = [Client().get("/api/things", headers=bearer(key)), client.get("/api/things")]

    for reply in replies:
        assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
        assert reply["Retry-After"] == "5"
        assert "secret-host" not in reply.content.decode()
