"""Whatever bytes come back, there is an answer or an OutboundError."""

import asyncio

import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.outbound import Purpose
from core.outbound.engine import Response, fetch
from core.outbound.errors import OutboundError
from core.outbound.guard import Guard
from core.outbound.streaming import Limits, open_stream
from tests.outbound.conftest import LOOPBACK, saying

PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 204 \r\n", b"\r\n", b"\n", b"\r\n\r\n", b"x: y\r\n",
     b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n", b"content-encoding: gzip\r\n", b"connection: close\r\n",
     b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"\x00", b"HTTP/1.1 101 S\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"]
)  # fmt: skip
ANSWERS = st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=8)
LOOPS = st.sampled_from([asyncio.run, uvloop.run])
LIMITS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@LIMITS
@given(ANSWERS, st.booleans(), LOOPS)
def test_fetch_never_fails_in_another_way(parts, then_reset, run_on):
    async def run() -> None:
        async with saying(*parts, then_reset=then_reset) as server:
            try:
                answer = await fetch(
                    "GET",
                    server.url,
                    purpose=Purpose.PROBE,
                    deadline_s=2,
                    max_bytes=100,
                    guard=Guard(LOOPBACK),
                )
            except OutboundError:
                return
            assert isinstance(answer, Response)
            assert len(answer.body) <= 100

    run_on(run())


@LIMITS
@given(ANSWERS, st.booleans(), LOOPS)
def test_a_stream_never_fails_in_another_way(parts, then_reset, run_on):
    async def run() -> None:
        async with saying(*parts, then_reset=then_reset) as server:
            limits = Limits(total_s=2, max_bytes=100)
            try:
                async with await open_stream(
                    "GET", server.url, purpose=Purpose.PROXY, limits=limits, guard=Guard(LOOPBACK)
                ) as answer:
                    assert sum([len(part) async for part in answer.parts()]) <= 100
            except OutboundError:
                return

    run_on(run())
