"""Nodes on loopback that answer as a test says, and rows for them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from nodes.models import Node, NodeState

MONITOR = {
    "online": True,
    "ts": "2026-02-25T10:00:00Z",
    "node_id": "NODA1",
    "heartbeat_age_s": 5,
    "router": {"ok": True, "latency_ms": 12},
    "gateway": {"ok": True, "latency_ms": 8},
    "alerts_loop_slo": {"p95_ms": 320, "failed_rate": 0.0},
    "open_incidents": 2,
    "backends": {"alerts": "postgres", "audit": "auto", "incidents": "auto"},
    "last_artifacts": {"risk_digest": "2026-02-24", "platform_digest": "2026-W08"},
}


class FakeNode:
    """An HTTP server whose answers are set by path: (status, body, content type), or a coroutine on the writer."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.starts: list[float] = []
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def say(self, path: str, body: Any = None, status: int = 200, kind: str = "application/json"):
        """Answer `path` with a body: bytes as they are, everything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, data, kind)

    def do(self, path: str, act: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        """Let `act` answer."""
        self.answers[path] = act

    async def start(self) -> FakeNode:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.starts.append(asyncio.get_running_loop().time())
            path = head.split(b" ")[1].decode()
            self.asked[path] += 1
            answer = self.answers.get(path, (404, b'{"detail":"Not Found"}', "application/json"))
            if not isinstance(answer, tuple):
                await answer(writer)
                return
            status, body, kind = answer
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@pytest.fixture(autouse=True)
async def _no_connection_stays_open() -> AsyncIterator[None]:
    """asgiref's thread keeps its connection, and PostgreSQL would not drop the test database under it."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def fake_node() -> AsyncIterator[Callable[[], Awaitable[FakeNode]]]:
    """Starts fake nodes; all of them end with the test."""
    started: list[FakeNode] = []

    async def start() -> FakeNode:
        started.append(await FakeNode().start())
        return started[-1]

    yield start
    for node in started:
        await node.stop()


def add_node(node_id: str, **fields: Any) -> NodeState:
    """A node of the registry, due now."""
    node = Node.objects.create(node_id=node_id, declared={"label": node_id, **fields})
    return NodeState.objects.create(node=node)
