"""How the services beside us are reported: asked over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core import upstreams
from core.outbound import Purpose
from core.upstreams import ask

Answers = dict[str, tuple[int, bytes]]


@asynccontextmanager
async def service(answers: Answers, delay_s: float = 0) -> AsyncIterator[str]:
    """A service that gives these answers by path, 404 otherwise."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), delay_s or 0.001)  # ends when the caller goes
        status, body = answers.get(head.split()[1].decode(), (404, b'{"detail":"Not Found"}'))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


async def test_a_healthy_service_is_ok_with_its_latency():
    async with service({"/health": (200, b'{"status":"ok","service":"router"}')}) as url:
        answer = await ask(url, ["/health"], Purpose.STATUS)

    assert answer.ok
    assert answer.error is None
    assert answer.latency_ms is not None


async def test_the_next_path_is_asked_where_the_first_does_not_exist():
    async with service({"/healthz": (200, b'{"ok":true,"status":"ok"}')}) as url:
        assert (await ask(url, ["/health", "/healthz"], Purpose.STATUS)).ok


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b'{"status":"unhealthy"}', 'reports "unhealthy"'),
        (200, b'{"status":"maintenance","ok":true}', 'reports "maintenance"'),
        (200, b'{"ok":false}', "not ok"),
        (200, b"[1]", "no JSON object"),
        (200, b"Internal Server Error", "JSON"),
        (500, b"Internal Server Error", "answered 500"),
        (503, b'{"detail":"postgres://u:p@h/x"}', "answered 503"),
        (302, b"", "answered 302"),
    ],
)
async def test_what_outranks_an_answer(status, body, why):
    async with service({"/health": (status, body)}) as url:
        answer = await ask(url, ["/health"], Purpose.STATUS)

    assert answer.ok is False
    assert why in answer.error
    assert "postgres://" not in answer.error


async def test_a_memory_service_does_not_pass_for_a_router():
    async with service({"/health": (200, b'{"status":"ok","service":"memory-service"}')}) as url:
        answer = await ask(url, ["/health"], Purpose.STATUS, not_service=["memory-service"])

    assert answer.error == "memory-service answers here"


async def test_a_service_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(upstreams, "DEADLINE_S", 0.3)
    began = time.monotonic()
    async with service({}, delay_s=30) as url:
        answer = await ask(url, ["/health", "/healthz"], Purpose.STATUS)

    assert answer.ok is False
    assert time.monotonic() - began < 3


async def test_nobody_configured_is_neither_ok_nor_broken():
    assert (await ask("", ["/health"], Purpose.STATUS)).as_dict() == {
        "ok": None, "url": None, "latency_ms": None, "error": "not configured",
    }  # fmt: skip
