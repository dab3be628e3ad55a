"""Who is let in by a request: keys, nobody in particular, and what is never accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.access import services
from core.access.keys import KEYS, KeyTable
from core.access.models import ApiKey, ApiKeyQuerySet
from core.access.principals import system
from tests.access.conftest import CONSOLE_KEY, Environ, MakeKey, bearer

pytestmark = pytest.mark.django_db


def test_nobody_reads_nothing_in_prod(client: Client, prod: None) -> None:
    reply = client.get("/api/things")

    assert reply.status_code == 401
    assert reply["WWW-Authenticate"] == "Bearer"
    assert reply["Content-Type"] == "application/problem+json"
    assert reply.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("header", [{"Authorization": f"Bearer {CONSOLE_KEY}"}, {"X-API-Key": CONSOLE_KEY},
                                    {"Authorization": f"bearer  {CONSOLE_KEY}"}])  # fmt: skip
def test_the_console_key_may_do_everything(
    client: Client, prod: None, header: dict[str, str]
) -> None:
    assert client.get("/api/things", headers=header).json() == {"who": "key:console"}
    assert client.post("/api/settings", headers=header).status_code == 200
    assert client.get("/api/me", headers=header).json()["rights"] == [
        "admin",
        "ingest",
        "ops",
        "proxy",
        "read",
    ]


@pytest.mark.parametrize("header", [
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Basic b2xlbmE6cGFzcw=="},
    {"Authorization": CONSOLE_KEY},
    {"X-API-Key": CONSOLE_KEY + "x"},
    {"Authorization": f"Bearer {CONSOLE_KEY}", "X-API-Key": "another"},
    {"Authorization": "Bearer sofiia_0123456789ab_" + "a" * 40},
    {"Authorization": "Bearer " + "x" * 5000},
    {"Authorization": "Bearer ключ"},
])  # fmt: skip
@pytest.mark.parametrize("env", ["dev", "prod"])
def test_wrong_credentials_are_refused_even_where_nobody_is_let_in(
    client: Client, environ: Environ, env: str, header: dict[str, str]
) -> None:
    environ(env=env, console_api_key=CONSOLE_KEY)

    assert client.get("/api/things", headers=header).status_code == 401


def test_an_empty_key_is_no_credentials(client: Client, environ: Environ) -> None:
    assert (
        client.get("/api/things", headers={"Authorization": "Bearer ", "X-API-Key": ""}).status_code
        == 200
    )

    environ(env="prod", console_api_key="")
    assert client.get("/api/things", headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize("name", [
    "api_key", "token", "key", "access_token", "API_KEY", "apikey", "k%65y", "%74oken", "api%2Dkey", "%6bey", "+key",
])  # fmt: skip
def test_a_key_in_the_address_is_refused_and_not_used(
    client: Client, prod: None, name: str
) -> None:
    reply = client.get(f"/api/things?{name}=SECRET", headers=bearer(CONSOLE_KEY))

    assert (reply.status_code, reply.json()["code"]) == (400, "key_in_query")
    assert "SECRET" not in reply.content.decode()


def test_an_ordinary_query_is_not_taken_for_a_key(client: Client, prod: None) -> None:
    assert client.get("/api/things?q=key&monkey=1", headers=bearer(CONSOLE_KEY)).status_code == 200


def test_an_issued_key_may_do_what_its_scopes_say(
    client: Client, prod: None, make_key: MakeKey
) -> None:
    key = bearer(make_key("read"))

    assert client.get("/api/things", headers=key).json() == {"who": "key:ci"}
    reply = client.post("/api/things", {"name": "a"}, content_type="application/json", headers=key)
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("right", "path", "method"), [
    ("read", "/api/things", "get"), ("ops", "/api/things", "post"), ("admin", "/api/settings", "post"),
])  # fmt: skip
@pytest.mark.parametrize("scope", ["read", "ops", "proxy", "ingest", "admin"])
def test_scopes_do_not_reach_further_than_they_say(
    client: Client, prod: None, make_key: MakeKey, scope: str, right: str, path: str, method: str
) -> None:
    reply = getattr(client, method)(
        path, {"name": "a"}, content_type="application/json", headers=bearer(make_key(scope))
    )

    assert reply.status_code == (200 if scope in (right, "admin") else 403)


def test_a_revoked_key_is_dead_at_once_in_its_own_process(
    client: Client, prod: None, make_key: MakeKey
) -> None:
    key = make_key("read")
    assert client.get("/api/things", headers=bearer(key)).status_code == 200

    services.revoke_key(key.split("_")[1], system("tests"))

    assert client.get("/api/things", headers=bearer(key)).status_code == 401


def test_a_key_revoked_elsewhere_is_dead_when_the_table_is_a_second_old(
    client: Client, prod: None, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key("read")
    assert client.get("/api/things", headers=bearer(key)).status_code == 200
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")

    monkeypatch.setattr(KEYS, "_loaded_at", KEYS._loaded_at - 1.0)

    assert client.get("/api/things", headers=bearer(key)).status_code == 401


def test_an_expired_key_is_refused(
    client: Client, prod: None, make_key: MakeKey, time_machine_at: Any
) -> None:
    key = make_key("read", expires_in=timedelta(days=90))
    time_machine_at(timedelta(days=89))
    assert client.get("/api/things", headers=bearer(key)).status_code == 200

    time_machine_at(timedelta(days=91))

    assert client.get("/api/things", headers=bearer(key)).status_code == 401


def test_a_right_key_costs_no_query_while_the_table_is_fresh(
    client: Client, prod: None, make_key: MakeKey, django_assert_num_queries: Any
) -> None:
    key = bearer(make_key("read"))
    client.get("/api/things", headers=key)

    with django_assert_num_queries(0):
        client.get("/api/things", headers=key)
        client.get("/api/things", headers=bearer(CONSOLE_KEY))


def test_the_last_use_is_noted_once_a_minute(client: Client, prod: None, make_key: MakeKey) -> None:
    key = bearer(make_key("read"))

    client.get("/api/things", headers=key)
    first = ApiKey.objects.get().last_used_at
    client.get("/api/things", headers=key)

    assert first is not None
    assert ApiKey.objects.get().last_used_at == first


def test_a_key_outlives_a_rotation_of_the_secret(
    client: Client, prod: None, make_key: MakeKey, settings: Any
) -> None:
    key = bearer(make_key("read"))

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new secret", [settings.SECRET_KEY]
    KEYS.forget()
    assert client.get("/api/things", headers=key).status_code == 200

    settings.SECRET_KEY_FALLBACKS = []
    KEYS.forget()
    assert client.get("/api/things", headers=key).status_code == 401


def test_async_operations_know_the_caller_too(
    client: Client, prod: None, make_key: MakeKey
) -> None:
    assert client.get("/api/async-things", headers=bearer(make_key("read"))).json() == {
        "who": "key:ci"
    }


def test_anybody_reads_in_dev(client: Client, environ: Environ) -> None:
    environ(console_api_key=CONSOLE_KEY)

    assert client.get("/api/things", REMOTE_ADDR="192.0.2.7").json() == {"who": "anonymous"}
    assert client.post("/api/settings").status_code == 401


@pytest.mark.parametrize(("extra", "expected"), [
    ({}, 200),
    ({"HTTP_HOST": "127.0.0.1:8002"}, 200),
    ({"HTTP_HOST": "[::1]:8002", "REMOTE_ADDR": "::1"}, 200),
    ({"HTTP_HOST": "localhost:8002", "HTTP_ORIGIN": "http://localhost:8002"}, 200),
    ({"HTTP_HOST": "localhost:8002", "HTTP_REFERER": "http://localhost:8002/ui/"}, 200),
    ({"HTTP_SEC_FETCH_SITE": "same-origin"}, 200),
    ({"HTTP_SEC_FETCH_SITE": "none"}, 200),
    ({"REMOTE_ADDR": "192.0.2.7"}, 401),
    ({"REMOTE_ADDR": ""}, 401),
    ({"HTTP_HOST": "evil.example"}, 401),
    ({"HTTP_HOST": "localhost.evil.example"}, 401),
    ({"HTTP_HOST": "127.0.0.1.nip.io"}, 401),
    ({"HTTP_ORIGIN": "http://evil.example"}, 401),
    ({"HTTP_ORIGIN": "null"}, 401),
    ({"HTTP_HOST": "localhost:8002", "HTTP_ORIGIN": "http://localhost:3000"}, 401),
    ({"HTTP_HOST": "localhost:8002", "HTTP_ORIGIN": "https://localhost:8002"}, 401),
    ({"HTTP_REFERER": "http://evil.example/page"}, 401),
    ({"HTTP_SEC_FETCH_SITE": "cross-site"}, 401),
    ({"HTTP_SEC_FETCH_SITE": "same-site"}, 401),
    ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
    ({"HTTP_FORWARDED": "for=127.0.0.1"}, 401),
    ({"HTTP_X_REAL_IP": "127.0.0.1"}, 401),
    ({"HTTP_VIA": "1.1 proxy"}, 401),
    ({"HTTP_X_FORWARDED_HOST": "localhost"}, 401),
    ({"HTTP_X_FORWARDED_PROTO": "http"}, 401),
    ({"HTTP_CF_CONNECTING_IP": "127.0.0.1"}, 401),
    ({"HTTP_CF_CONNECTING_IP": ""}, 401),
])  # fmt: skip
def test_nobody_writes_but_at_a_dev_machine_without_a_key(
    client: Client, settings: Any, extra: dict[str, str], expected: int
) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert (
        client.post("/api/settings", **{"HTTP_HOST": "localhost", **extra}).status_code == expected
    )


@pytest.mark.parametrize("path", ["/api/keys", "/api/audit", "/api/audit/verify"])
def test_keys_and_audit_need_credentials_in_dev_too(
    client: Client, environ: Environ, make_key: MakeKey, path: str
) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(make_key("ops", "read"))).status_code == 403
    assert client.get(path, headers=bearer(make_key("admin"))).status_code == 200


def test_keys_are_made_listed_and_revoked_over_the_api(client: Client, prod: None) -> None:
    admin = bearer(CONSOLE_KEY)
    body = {"name": "ci", "scopes": ["read", "ops"], "expires": "90d"}
    made = client.post("/api/keys", body, content_type="application/json", headers=admin)
    assert made.status_code == 201
    key = made.json()["key"]

    listed = client.get("/api/keys", headers=admin).json()
    assert [item["name"] for item in listed["items"]] == ["ci"]
    assert key not in str(listed)
    assert client.get("/api/me", headers=bearer(key)).json()["name"] == "key:ci"

    key_id = made.json()["id"]
    assert client.delete(f"/api/keys/{key_id}", headers=admin).status_code == 204
    assert client.delete(f"/api/keys/{key_id}", headers=admin).status_code == 204
    assert client.delete("/api/keys/unknown", headers=admin).json()["code"] == "key_not_found"
    assert client.get("/api/me", headers=bearer(key)).status_code == 401


@pytest.mark.parametrize(("body", "path"), [
    ({"name": "", "scopes": ["read"]}, "name"),
    ({"name": "ci", "scopes": ["root"]}, "scopes"),
    ({"name": "ci", "scopes": []}, "scopes"),
    ({"name": "ci", "scopes": ["read"], "expires": "soon"}, "expires"),
    ({"name": "ci", "scopes": ["read"], "expires": "0s"}, "expires"),
    ({"name": "ci", "scopes": ["read"], "digest": "00"}, "digest"),
])  # fmt: skip
def test_a_bad_key_is_refused_with_the_field(
    client: Client, prod: None, body: dict[str, Any], path: str
) -> None:
    reply = client.post(
        "/api/keys", body, content_type="application/json", headers=bearer(CONSOLE_KEY)
    )

    assert reply.status_code == 422
    assert path in [error["path"] for error in reply.json()["errors"]]
    assert not ApiKey.objects.exists()


def test_key_pages_follow_a_cursor(client: Client, prod: None, make_key: MakeKey) -> None:
    for number in range(3):
        make_key(name=f"k{number}")
    admin = bearer(CONSOLE_KEY)

    first = client.get("/api/keys?limit=2", headers=admin).json()
    second = client.get(f"/api/keys?limit=2&after={first['next']}", headers=admin).json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["k2", "k1", "k0"]
    assert second["next"] is None
    assert client.get("/api/keys?after=x", headers=admin).status_code == 422


def test_a_key_that_is_revoked_while_the_table_is_read_is_dead_at_once(
    make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key("read")
    table = KeyTable()
    rows = list(ApiKey.objects.all())

    def read_slowly(*_: Any) -> list[ApiKey]:
        table.forget()  # the revocation commits while the older rows are on their way
        monkeypatch.undo()
        return rows

    monkeypatch.setattr(ApiKeyQuerySet, "usable", read_slowly)
    assert table.find(key)
    ApiKey.objects.update(revoked_at=timezone.now())

    assert table.find(key) is None
