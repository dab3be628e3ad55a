"""Raw ASGI scopes: WebSocket handshakes, streams, the proxy's short path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client

from core.access import services, sessions
from core.access.authenticate import authenticate_scope, authorize_scope, still_valid
from core.access.keys import KEYS
from core.access.models import User
from core.access.principals import ANONYMOUS, system
from core.audit.models import AuditRecord
from core.problems import Problem
from tests.access.conftest import CONSOLE_KEY, Environ
from tests.factories import PASSWORD

OWN = "http://console.example:8002"
pytestmark = pytest.mark.django_db(transaction=True)


def scope(
    kind: str = "websocket", method: str = "GET", query: str = "", **headers: str
) -> dict[str, Any]:
    """A scope as a server makes it; `x_api_key` becomes `x-api-key`."""
    given = {"host": "console.example:8002", **headers}
    made: dict[str, Any] = {
        "type": kind,
        "path": "/ws/events" if kind == "websocket" else "/api/nodes/N/router/x",
        "query_string": query.encode(),
        "scheme": "ws" if kind == "websocket" else "http",
        "client": ("192.0.2.5", 4000),
        "headers": [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in given.items()],
    }
    return made if kind == "websocket" else {**made, "method": method}


@pytest.fixture(autouse=True)
async def no_connection_is_left(transactional_db: None) -> AsyncIterator[None]:
    """The thread behind `sync_to_async` outlives the test; PostgreSQL keeps a database that somebody holds."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def cookie(client: Client, operator: User) -> str:
    """The cookie of a person who is logged in."""
    client.post("/ui/login", {"username": "olena", "password": PASSWORD})
    return f"sofiia_session={client.cookies['sofiia_session'].value}"


async def code_of(made: dict[str, Any]) -> str:
    """Who is let in, or the code of the refusal."""
    try:
        return (await authenticate_scope(made)).name
    except Problem as problem:
        return problem.code


FOREIGN = [
    "http://evil.example", "null", "http://console.example", "http://console.example:80", "https://console.example:8002",
    "http://console.example:8002.evil.example", "http://console.example:8002,http://console.example:8002",
    "http://a.console.example:8002", "http://user@console.example:8002", "", "file://", "http://localhost:3000",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_session_does_not_open_the_stream_for_a_foreign_page(
    prod: None, cookie: str, origin: str
) -> None:
    assert await code_of(scope(cookie=cookie, origin=origin)) == "origin_refused"


@pytest.mark.parametrize("origin", [OWN, "HTTP://Console.Example:8002", "https://listed.example"])
async def test_a_session_opens_it_for_our_own_and_listed_pages(
    prod: None, environ: Environ, cookie: str, origin: str
) -> None:
    environ(cors_origins=["https://listed.example"])

    assert await code_of(scope(cookie=cookie, origin=origin)) == "olena"


async def test_a_session_needs_an_origin(prod: None, cookie: str) -> None:
    assert await code_of(scope(cookie=cookie)) == "origin_refused"


async def test_https_in_front_counts_as_written_by_the_edge(prod: None, cookie: str) -> None:
    made = scope(cookie=cookie, origin="https://console.example:8002", x_sofiia_scheme="https")

    assert await code_of(made) == "olena"


@pytest.mark.parametrize(
    "header", [{"authorization": f"Bearer {CONSOLE_KEY}"}, {"x_api_key": CONSOLE_KEY}]
)
async def test_a_key_needs_no_origin(prod: None, header: dict[str, str]) -> None:
    assert await code_of(scope(**header)) == "key:console"
    assert await code_of(scope("http", "POST", **header)) == "key:console"


async def test_a_key_from_a_foreign_page_is_refused(prod: None) -> None:
    assert (
        await code_of(scope(x_api_key=CONSOLE_KEY, origin="http://evil.example"))
        == "origin_refused"
    )


async def test_nobody_has_no_right_in_prod(prod: None) -> None:
    principal = await authenticate_scope(scope())

    assert not principal.has("read")
    with pytest.raises(Problem) as caught:
        principal.require("read")
    assert caught.value.status == 401


@pytest.mark.parametrize(("origin", "expected"), [
    (None, "anonymous"), ("http://localhost:3000", "anonymous"), ("http://[::1]:5173", "anonymous"), (OWN, "anonymous"),
    ("http://evil.example", "origin_refused"), ("http://localhost.evil.example", "origin_refused"), ("null", "origin_refused"),
])  # fmt: skip
async def test_in_dev_pages_on_loopback_may_watch(origin: str | None, expected: str) -> None:
    assert await code_of(scope(**({} if origin is None else {"origin": origin}))) == expected


async def test_in_dev_a_page_on_loopback_does_not_ride_on_a_session(cookie: str) -> None:
    assert await code_of(scope(cookie=cookie, origin="http://localhost:3000")) == "origin_refused"


async def test_in_dev_a_list_is_meant(environ: Environ) -> None:
    environ(cors_origins=["http://localhost:5173"])

    assert await code_of(scope(origin="http://localhost:5173")) == "anonymous"
    assert await code_of(scope(origin="http://localhost:3000")) == "origin_refused"


@pytest.mark.parametrize("kind", ["websocket", "http"])
async def test_wrong_keys_and_keys_in_the_address_are_refused(prod: None, kind: str) -> None:
    assert await code_of(scope(kind, x_api_key="wrong")) == "unauthenticated"
    assert await code_of(scope(kind, query=f"token={CONSOLE_KEY}")) == "key_in_query"
    assert (
        await code_of(scope(kind, x_api_key=CONSOLE_KEY, authorization="Bearer other"))
        == "unauthenticated"
    )


async def test_a_session_write_needs_the_csrf_token(prod: None, cookie: str) -> None:
    token = "a" * 32
    both = f"{cookie}; sofiia_csrf={token}"

    assert await code_of(scope("http", "GET", cookie=cookie)) == "olena"
    assert await code_of(scope("http", "POST", cookie=cookie)) == "csrf_failed"
    assert (
        await code_of(scope("http", "POST", cookie=both, x_csrftoken=token, origin=OWN)) == "olena"
    )
    assert (
        await code_of(
            scope("http", "POST", cookie=both, x_csrftoken=token, origin="http://evil.example")
        )
        == "csrf_failed"
    )


async def test_the_edges_word_on_the_address_counts(prod: None) -> None:
    made = {
        **scope(x_api_key=CONSOLE_KEY),
        "sofiia_client": "198.51.100.4",
        "sofiia_request_id": "abc",
    }

    principal = await authenticate_scope(made)

    assert (principal.address, principal.request_id) == ("198.51.100.4", "abc")


async def test_refusals_are_audited_once(prod: None, make_key: Any) -> None:
    key = await sync_to_async(make_key)("read")
    await code_of(scope(x_api_key="wrong"))
    with pytest.raises(Problem):
        await authorize_scope(scope("http", "POST", x_api_key=key), "proxy")
    await code_of(scope())

    rows = [row async for row in AuditRecord.objects.filter(action="request.refused")]
    assert [(row.target, row.actor) for row in rows] == [
        ("GET /ws/events", "anonymous"), ("POST /api/nodes/N/router/x", "key:ci"),
    ]  # fmt: skip


async def test_a_known_key_needs_no_thread(
    prod: None, make_key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await sync_to_async(make_key)("read")
    await code_of(scope(x_api_key=key))

    monkeypatch.setattr("core.access.authenticate.sync_to_async", None)

    assert await code_of(scope(x_api_key=key)) == "key:ci"


class TestStillValid:
    """What an open stream asks again and again."""

    @pytest.fixture
    async def people(self, environ: Environ, cookie: str, make_key: Any) -> list[Any]:
        """Nobody, the console's key, an issued key, a person, the console itself."""
        environ(env="prod", console_api_key=CONSOLE_KEY)
        key = await sync_to_async(make_key)("read")
        return [
            ANONYMOUS,
            await authenticate_scope(scope(x_api_key=CONSOLE_KEY)),
            await authenticate_scope(scope(x_api_key=key)),
            await authenticate_scope(scope(cookie=cookie, origin=OWN)),
            system("poller"),
        ]

    async def test_all_hold_in_few_queries(
        self, people: list[Any], django_assert_max_num_queries: Any
    ) -> None:
        def ask() -> set[int]:
            KEYS.forget()
            with django_assert_max_num_queries(3):
                return still_valid(people * 50)

        assert await sync_to_async(ask)() == set()

    async def test_a_revoked_key_does_not(self, people: list[Any]) -> None:
        await sync_to_async(services.revoke_key)(people[2].key_id, system("tests"))

        assert await sync_to_async(still_valid)(people) == {2}

    @pytest.mark.parametrize("change", [
        lambda user: sessions.set_password(user, "another-long-word", system("t")),
        lambda user: services.set_active(user.pk, False, system("t")),
        lambda user: services.set_role(user.pk, "viewer", system("t")),
    ])  # fmt: skip
    async def test_a_changed_person_does_not(
        self, people: list[Any], operator: User, change: Any
    ) -> None:
        await sync_to_async(change)(operator)

        assert await sync_to_async(still_valid)(people) == {3}

    async def test_a_person_who_logged_out_does_not(
        self, people: list[Any], client: Client
    ) -> None:
        await sync_to_async(client.post)("/ui/logout")

        assert await sync_to_async(still_valid)(people) == {3}
