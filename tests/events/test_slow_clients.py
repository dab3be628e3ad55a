"""A client that does not read is dropped; the others never wait for it."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time

import pytest

from events import hub
from events.hub import get_hub

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def deaf(server):
    """A WebSocket client with a small buffer that reads its handshake and then nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    yield client
    client.close()


async def _shake_hands(client: socket.socket, port: int, path: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    ]  # fmt: skip
    await loop.sock_sendall(client, "\r\n".join(lines).encode())
    await loop.sock_recv(client, 16)


async def _until(condition, timeout: float = 10) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_it_is_dropped_while_the_others_get_everything(
    server, deaf, append_many, monkeypatch
):
    monkeypatch.setattr(hub, "SEND_LIMIT_S", 1.0)
    await _shake_hands(deaf, server.port, "/ws/events")
    async with server.stream(max_queue=None) as reader:
        await _until(lambda: get_hub().clients == 2)
        ids: list[int] = []
        for _ in range(40):
            ids += await append_many(20, size=10_000)
        assert [frame["id"] for frame in await reader.take(len(ids))] == ids
        await _until(lambda: get_hub().clients == 1)


async def test_its_socket_really_goes(server, deaf, append_many, monkeypatch):
    monkeypatch.setattr(hub, "SEND_LIMIT_S", 0.5)
    monkeypatch.setattr(hub, "CLOSE_LIMIT_S", 0.2)
    await _shake_hands(deaf, server.port, "/ws/events")
    await _until(lambda: get_hub().clients == 1)
    await append_many(800, size=10_000)
    await _until(lambda: get_hub().clients == 0)
    await asyncio.sleep(0.5)
    with open("/proc/net/tcp") as table:
        mine = f"{deaf.getsockname()[1]:04X}"
        states = [line.split()[3] for line in table if line.split()[2].endswith(":" + mine)]
    assert "01" not in states  # ESTABLISHED


async def test_one_that_is_only_slow_gets_everything_once(server, append_many):
    async with server.stream(max_queue=1) as slow:
        ids: list[int] = []
        for _ in range(20):
            ids += await append_many(20, size=20_000)
        got = []
        for position in range(len(ids)):
            got.append((await slow.next())["id"])
            if position % 40 == 0:
                await asyncio.sleep(0.05)
    assert got == ids


async def test_a_deaf_reader_of_server_sent_events_is_dropped_too(
    server, deaf, append_many, monkeypatch
):
    monkeypatch.setattr(hub, "SEND_LIMIT_S", 0.5)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(deaf, ("127.0.0.1", server.port))
    request = b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    await loop.sock_sendall(deaf, request)
    await _until(lambda: get_hub().clients == 1)
    await append_many(800, size=10_000)
    await _until(lambda: get_hub().clients == 0)
