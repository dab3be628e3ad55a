"""Guessing is slowed down, and nobody is locked out by what others do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import hashers
from django.db import connection
from django.test import AsyncClient, Client

from core.access import throttle
from core.access.models import Throttle, User
from core.audit.models import AuditRecord
from core.metrics import REGISTRY
from core.problems import Problem
from tests.access.conftest import CONSOLE_KEY, MakeKey, bearer
from tests.factories import PASSWORD


def wrong_key(client: Client, **extra: str) -> Any:
    return client.get("/api/things", headers=bearer("wrong"), **extra)


def log_in(client: Client, password: str, username: str = "olena", **extra: str) -> Any:
    return client.post("/ui/login", {"username": username, "password": password}, **extra)


def first_429(statuses: list[int]) -> int:
    return statuses.index(429) + 1


@pytest.mark.django_db
def test_wrong_keys_are_slowed_down_and_right_ones_pass(
    client: Client, prod: None, make_key: MakeKey
) -> None:
    key = make_key("read")
    replies = [wrong_key(client) for _ in range(12)]

    assert 6 <= first_429([reply.status_code for reply in replies]) <= 10
    assert 0 < int(replies[-1]["Retry-After"]) <= 300
    assert wrong_key(client, REMOTE_ADDR="192.0.2.9").status_code == 401
    assert client.get("/api/things", headers=bearer(CONSOLE_KEY)).status_code == 200
    assert client.get("/api/things", headers=bearer(key)).status_code == 200
    assert (REGISTRY.get_sample_value("sofiia_throttled_total", {"kind": "key"}) or 0) > 0


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED"])
def test_a_made_up_address_does_not_help(client: Client, prod: None, header: str) -> None:
    statuses = [wrong_key(client, **{header: f"192.0.2.{n}"}).status_code for n in range(12)]

    assert statuses[-1] == 429


@pytest.mark.django_db
def test_a_flood_costs_no_queries(
    client: Client, prod: None, django_assert_num_queries: Any
) -> None:
    for _ in range(throttle.KEY_FAILURES):
        throttle.count_wrong_key("192.0.2.1")
    with pytest.raises(Problem):
        throttle.count_wrong_key("192.0.2.1")

    with django_assert_num_queries(0), pytest.raises(Problem):
        throttle.count_wrong_key("192.0.2.1")


@pytest.mark.django_db
def test_wrong_passwords_are_slowed_down_before_hashing(
    client: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = hashers.check_password
    monkeypatch.setattr(
        "django.contrib.auth.base_user.check_password",
        lambda *a, **k: hashed.append("x") or real(*a, **k),
    )

    statuses = [log_in(client, "wrong-password").status_code for _ in range(12)]

    assert 6 <= first_429(statuses) <= 10
    assert len(hashed) == first_429(statuses) - 1
    assert log_in(client, PASSWORD).status_code == 429


@pytest.mark.django_db
def test_nobody_is_locked_out_from_elsewhere(client: Client, operator: User) -> None:
    for _ in range(10):
        log_in(client, "wrong-password")

    assert log_in(client, PASSWORD, REMOTE_ADDR="192.0.2.9").status_code == 200


@pytest.mark.django_db
def test_one_password_over_many_names_trips_the_address(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.access.sessions.auth.authenticate", lambda *a, **k: None)

    statuses = [log_in(client, "summer2026", f"user{n}").status_code for n in range(60)]

    assert 429 in statuses
    assert statuses[-1] == 429


@pytest.mark.django_db
def test_a_right_password_is_forgiven(client: Client, operator: User) -> None:
    for _ in range(5):
        for _ in range(throttle.PASSWORD_FAILURES - 2):
            throttle.count_password_try("olena", "127.0.0.1")
        assert log_in(client, PASSWORD).status_code == 200
        Throttle.objects.filter(bucket__startswith="password@").delete()


@pytest.mark.django_db
def test_windows_end(client: Client, prod: None, time_machine_at: Any) -> None:
    for _ in range(9):
        wrong_key(client)
    assert wrong_key(client).status_code == 429

    time_machine_at(timedelta(minutes=5, seconds=1))
    throttle.forget_full_buckets()

    assert wrong_key(client).status_code == 401


@pytest.mark.django_db
def test_one_network_of_ipv6_counts_as_one() -> None:
    for number in range(throttle.KEY_FAILURES):
        throttle.count_wrong_key(f"2001:db8::{number:x}")

    with pytest.raises(Problem):
        throttle.count_wrong_key("2001:db8::ffff")
    throttle.count_wrong_key("2001:db8:1::1")


@pytest.mark.django_db
def test_what_was_typed_as_a_name_is_not_stored() -> None:
    throttle.count_password_try("My secret password", "192.0.2.1")

    assert "secret" not in str(Throttle.objects.values())


@pytest.mark.django_db(transaction=True)
def test_tries_at_once_are_not_free() -> None:
    def attempt(_: int) -> bool:
        try:
            throttle.count_wrong_key("192.0.2.77")
        except Problem:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(attempt, range(40)))

    assert passed == throttle.KEY_FAILURES


async def _through_a_proxy(key: int, client: str) -> Any:
    caller = AsyncClient(sofiia_client=client, sofiia_peer="10.0.0.1")
    return await caller.get("/api/things", headers=bearer(f"wrong-{key}"))


@pytest.mark.django_db
def test_made_up_addresses_behind_a_proxy_end_at_the_proxy(prod: None) -> None:
    ask = async_to_sync(_through_a_proxy)
    statuses = [ask(n, f"192.0.2.{n}").status_code for n in range(75)]

    assert first_429(statuses) == throttle.KEY_FAILURES * throttle.PROXY_FACTOR + 1
    assert ask(0, "198.51.100.1").status_code == 429
    assert Throttle.objects.count() == throttle.KEY_FAILURES * throttle.PROXY_FACTOR + 2
    assert AuditRecord.objects.count() == 76


@pytest.mark.django_db
def test_somebody_who_is_slowed_down_does_not_fill_the_proxys_bucket(prod: None) -> None:
    for _ in range(100):
        with suppress(Problem):
            throttle.count_wrong_key("192.0.2.1", "10.0.0.1")

    throttle.count_wrong_key("192.0.2.2", "10.0.0.1")


@pytest.mark.django_db
def test_passwords_behind_a_proxy_are_counted_and_forgiven(operator: User) -> None:
    limit = throttle.ADDRESS_FAILURES * throttle.PROXY_FACTOR
    for number in range(limit):
        throttle.count_password_try("olena", f"192.0.{number // 200}.{number % 200}", "10.0.0.1")
    with pytest.raises(Problem):
        throttle.count_password_try("olena", "198.51.100.1", "10.0.0.1")

    throttle.forget_full_buckets()
    throttle.forgive_password_try("olena", "192.0.0.1", "10.0.0.1")
    throttle.count_password_try("olena", "198.51.100.2", "10.0.0.1")
