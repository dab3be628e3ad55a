"""A server that says exactly what a test wants it to say, a guard that trusts loopback, and a list of connects."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from core.outbound.engine import Response, fetch
from core.outbound.guard import Guard
from core.outbound.policy import NetworkAllowlist
from core.outbound.purpose import Purpose

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = NetworkAllowlist.model_validate(
    {
        "egress": {
            "rules": [{"name": "loopback", "for": list(Purpose), "cidrs": ["127.0.0.0/8", "::1"]}]
        }
    }
)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything here holds on both loops: tests and commands use asyncio's, `serve` uses uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Hostile:
    """A raw server on loopback; every connection is given to the script. `heads` are the requests' heads."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request's head."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()


@asynccontextmanager
async def saying(
    *parts: bytes, then_reset: bool = False, pause_s: float = 0
) -> AsyncIterator[Hostile]:
    """A server that reads a request's head, sends the parts and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.head(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then_reset:
            linger = writer.get_extra_info("socket")
            linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    server = Hostile(script)
    async with server.running():
        yield server


@pytest.fixture
def guard() -> Guard:
    """Lets everything on loopback pass."""
    return Guard(LOOPBACK)


@pytest.fixture
def ask(guard: Guard) -> Callable[..., Awaitable[Response]]:
    """`fetch` with short limits and the loopback guard."""

    async def call(url: str, method: str = "GET", **options: Any) -> Response:
        defaults: dict[str, Any] = {
            "purpose": Purpose.PROBE,
            "deadline_s": 2,
            "max_bytes": 65_536,
            "guard": guard,
        }
        return await fetch(method, url, **{**defaults, **options})

    return call


class Network:
    """What the loop was asked to resolve and to connect to; `answers` replaces the resolver for the names in it."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.resolved: list[str] = []
        self.connects: list[tuple[str, int]] = []

    def listen_to(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve, connect = loop.getaddrinfo, loop.create_connection

        async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
            self.resolved.append(host)
            if host not in self.answers:
                return await resolve(host, port, **options)
            answers = self.answers[host]
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

        async def create_connection(factory: Any, host: str, port: int, **options: Any) -> Any:
            self.connects.append((host, port))
            return await connect(factory, host, port, **options)

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(loop, "create_connection", create_connection)


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """The network as this test's event loop sees it."""
    network = Network()
    network.listen_to(asyncio.get_running_loop(), monkeypatch)
    return network


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
