"""What a connection may do before there is a request: raw sockets against the server's own protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from sofiia_site.serving import protocol
from sofiia_site.serving.protocol import GuardedHttpProtocol


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo, http=GuardedHttpProtocol, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


async def reply_to(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Everything that comes back until the server closes, at most 5 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    with contextlib.suppress(ConnectionError):  # the server may be done with us before we are
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
            if reading.done():
                break
    try:
        return await asyncio.wait_for(reading, 5)
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


async def test_an_ordinary_request_is_answered(port):
    assert (await reply_to(port, GET + b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_kept_connection_takes_one_request_after_the_other(port):
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    reply = await reply_to(port, first, first, GET + b"\r\n", pause=0.05)

    assert reply.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"a" * 100_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % n for n in range(150)),
    ],
    ids=["one long header", "many headers"],
)
async def test_headers_over_the_limit_are_refused(port, headers):
    reply = await reply_to(port, GET + headers + b"\r\n")

    assert reply.startswith(b"HTTP/1.1 431")
    assert b"application/problem+json" in reply
    assert b"content-security-policy" in reply


async def test_headers_that_never_end_are_cut_off(port):
    reply = await reply_to(port, GET, *[b"X: " + b"a" * 20_000 + b"\r\n"] * 5, pause=0.02)

    assert reply.startswith(b"HTTP/1.1 431")


async def test_slow_headers_meet_a_deadline(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_DEADLINE_S", 0.3)
    reply = await reply_to(port, *[bytes([byte]) for byte in GET[:10]], pause=0.05)

    assert reply.startswith(b"HTTP/1.1 408")


async def test_a_silent_connection_meets_the_same_deadline(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_DEADLINE_S", 0.2)

    assert (await reply_to(port)).startswith(b"HTTP/1.1 408")


async def test_a_slow_body_meets_a_deadline(port, monkeypatch):
    monkeypatch.setattr(protocol, "BODY_DEADLINE_S", 0.2)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"

    assert (await reply_to(port, head, b"a")).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "request_",
    [
        b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_is_not_http_is_a_problem_with_our_headers(port, request_):
    reply = await reply_to(port, request_)

    assert reply.startswith(b"HTTP/1.1 400")
    assert b"x-request-id" in reply
    assert b"nosniff" in reply


async def test_connections_of_one_address_are_capped(port, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    monkeypatch.setattr(protocol, "_counted_address", lambda client: "203.0.113.9")
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)

    assert (await reply_to(port, GET + b"\r\n")).startswith(b"HTTP/1.1 503")
    for _reader, writer in held:
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert (await reply_to(port, GET + b"\r\n")).startswith(b"HTTP/1.1 200")
    assert not protocol._open
