"""A console whose database is busy or gone: refusals are answered at once, what needs the database says 503."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
import psycopg
import pytest

from tests.conftest import Launch
from tests.harness import services
from tests.harness.console import ConsoleProcess
from tests.harness.database import postgres_database
from tests.harness.waiting import eventually

CONSOLE_KEY = "console-key-of-the-tests-0123456789abcdef"
UNKNOWN_KEY = f"sofiia_{'0' * 12}_{'a' * 40}"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def timed(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def refusals_of(console: ConsoleProcess) -> int:
    reply = console.get("/api/audit?action=request.refused", headers=bearer(CONSOLE_KEY))
    return len(reply.json()["items"])


@contextmanager
def locked(console: ConsoleProcess) -> Iterator[None]:
    """Somebody else holds SQLite's one writer's place."""
    file = next(console.data_dir.glob("*.sqlite3"))
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def console(launch: Launch) -> ConsoleProcess:
    """The web part alone on SQLite, which was started once before."""
    launch(SOFIIA_CONSOLE_API_KEY=CONSOLE_KEY).terminate()
    return launch(SOFIIA_CONSOLE_API_KEY=CONSOLE_KEY, arguments=["--only", "web"])


def test_a_refusal_does_not_wait_for_a_locked_database(console: ConsoleProcess) -> None:
    assert console.get("/api/nodes", headers=bearer(UNKNOWN_KEY)).status_code == 401
    assert refusals_of(console) == 1

    with locked(console):
        for path in ("/api/nodes", "/api/nodes", "/monitor/status"):
            reply, took = timed(lambda p=path: console.get(p, headers=bearer(UNKNOWN_KEY)))
            assert reply.status_code == 401
            assert took < 2
        assert console.get("/api/nodes", headers=bearer(CONSOLE_KEY)).status_code == 200

    eventually(lambda: refusals_of(console) == 4, 10)
    time.sleep(0.5)
    assert refusals_of(console) == 4


def test_what_waits_is_written_before_the_process_ends(console: ConsoleProcess) -> None:
    with locked(console):
        console.get("/api/nodes", headers=bearer(UNKNOWN_KEY))
        console.signal(signal.SIGTERM)
        time.sleep(1.5)
    eventually(lambda: not console.is_alive, 10)
    console.start()

    assert refusals_of(console) == 1


@contextmanager
def gone(url: str) -> Iterator[None]:
    """The database lets nobody in and throws out whoever is there."""
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')  # type: ignore[arg-type]
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')  # type: ignore[arg-type]


@pytest.mark.postgres
def test_without_postgresql_what_needs_it_says_so(launch: Launch) -> None:
    cookie = {"Cookie": f"sofiia_session={'a' * 32}"}
    with postgres_database() as url:
        console = launch(SOFIIA_CONSOLE_API_KEY=CONSOLE_KEY, database_url=url)
        with gone(url):
            for headers in (bearer(UNKNOWN_KEY), bearer(CONSOLE_KEY), cookie):
                reply, took = timed(
                    lambda h=headers: console.get("/api/nodes", headers=h, timeout=30)
                )
                assert took < 10
                assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
                assert int(reply.headers["Retry-After"]) > 0
            reply, took = timed(lambda: console.get("/ui/", headers=cookie, timeout=60))
            assert took < 10
            assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
            reply, took = timed(lambda: console.get("/api/nodes", headers=bearer("wrong")))
            assert reply.status_code == 401
            assert took < 2
            assert console.get("/healthz").status_code == 200
        eventually(lambda: console.get("/ui/", timeout=30).status_code == 200, 30)
