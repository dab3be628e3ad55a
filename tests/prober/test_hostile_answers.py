"""Whatever a node sends, the poller goes on, and nothing is stored that a browser or a database could not read."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from asgiref.sync import sync_to_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.client import Outcome, ProbeTarget, probe
from nodes.judge import Thresholds, verdict
from nodes.models import NodeState, Status
from nodes.prober import poll_once
from tests.prober.conftest import MONITOR, FakeNode, add_node

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"online": true, "open_incidents": 2, "heartbeat_age_s": NaN}', "holds NaN"),
        (b'{"online": true, "open_incidents": 2, "heartbeat_age_s": 1e400}', "too large"),
        (b'{"open_incidents": 2, "open_incidents": 2}', "twice"),
        (b'{"open_incidents": 2, "x": 123456789012345678901234567890}', "64 bit"),
        (b'{"open_incidents": 2, "x": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"open_incidents": 2, "service": "a\\u0000b"}', "NUL"),
    ],
)
async def test_the_well_formed_fields_of_a_bad_report_are_kept(fake_node, body, complaint):
    node = await fake_node()
    node.say("/monitor/status", body)
    result = await probe(ProbeTarget("N", node.url, timeout_s=2))
    assert (result.outcome, result.source) == (Outcome.ANSWERED, "monitor")
    assert complaint in result.complaints[0]
    assert result.telemetry.open_incidents == 2
    assert verdict_of(result).status == Status.DEGRADED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"online": true, ', "is not JSON"),
        (b"{" * 100_000, "is not JSON"),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "is nested deeper"),
        ("\ufeff{}".encode("utf-16"), "no status"),
        (b"\x00\xff\xfe", "no status"),
    ],
)
async def test_a_body_that_cannot_be_read_is_named_in_the_reason(fake_node, body, reason):
    node = await fake_node()
    node.say("/monitor/status", body)
    result = await probe(ProbeTarget("N", node.url, timeout_s=2))
    assert result.outcome is Outcome.BAD
    assert reason in result.error
    assert verdict_of(result).status == Status.DEGRADED


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_cap_is_cut_off(fake_node, declared):
    node = await fake_node()
    sent = 0

    async def flood(writer):
        nonlocal sent
        length = b"Content-Length: 99999999\r\n" if declared else b""
        writer.write(HEAD + length + b"\r\n{")
        while not writer.is_closing() and sent < 50_000_000:
            writer.write(b" " * 65_536)
            sent += 65_536
            await writer.drain()

    node.do("/monitor/status", flood)
    result = await probe(ProbeTarget("N", node.url, timeout_s=5))
    assert result.outcome is Outcome.BAD
    assert result.error == "Bad status report: /monitor/status is larger than 256 KiB"
    assert sent < 10_000_000


async def test_a_bomb_in_gzip_is_not_opened(fake_node):
    node = await fake_node()

    async def bomb(writer):
        writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")

    node.do("/monitor/status", bomb)
    result = await probe(ProbeTarget("N", node.url, timeout_s=2))
    assert result.outcome is Outcome.BAD


def verdict_of(result):
    known = NodeState(status="online")
    return verdict(known, replace(result, node_id="N"), Thresholds(), datetime.now(UTC))


PIECES = st.sampled_from([
    b"{", b"}", b"[", b"]", b'"online"', b":", b",", b"true", b"NaN", b"-Infinity", b"1e400", b'"\\ud800"', b'"\\u0000"',
    b"9" * 30, b"\xff", b"\xef\xbb\xbf", b'{"status":"ok"}', json.dumps(MONITOR).encode(), b"\r\n0\r\n\r\n", b"null",
])  # fmt: skip
HEADERS = st.sampled_from([
    HEAD + b"\r\n", HEAD + b"Content-Length: 5\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 no\r\nConnection: close\r\n\r\n", b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 999 ?\r\n\r\n",
    HEAD + b"Content-Encoding: gzip\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + HEAD + b"\r\n",
])  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(head=HEADERS, pieces=st.lists(PIECES | st.binary(max_size=8), max_size=12))
def test_no_answer_is_an_exception_and_no_number_is_infinite(head, pieces):
    async def ask():
        node = await FakeNode().start()

        async def send(writer):
            writer.write(head + b"".join(pieces))

        for path in ("/monitor/status", "/healthz", "/health"):
            node.do(path, send)
        try:
            return await probe(ProbeTarget("N", node.url, timeout_s=1))
        finally:
            await node.stop()

    result = asyncio.run(ask())
    judged = verdict_of(result)
    assert judged.status in Status
    assert judged.status != Status.UNKNOWN, result.error
    written = orjson.dumps(result.telemetry.as_json())
    assert all(math.isfinite(number) for number in _numbers(orjson.loads(written)))
    assert "\0" not in result.raw
    orjson.dumps([result.raw, *judged.reasons])


def _numbers(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value


@pytest.mark.django_db(transaction=True)
async def test_hostile_bodies_are_stored_the_same_way_in_every_database(fake_node):
    bodies = [
        b'{"online": true, "version": "\\ud800", "open_incidents": NaN}',
        b'{"online": true, "node_id": "a\\u0000b"}',
        b"\x00" * 100,
        b'{"backends": {"\\u0000": "x", "\\u202e": "y"}, "open_incidents": 9223372036854775808}',
    ]
    for number, body in enumerate(bodies):
        node = await fake_node()
        node.say("/monitor/status", body)
        await sync_to_async(add_node)(f"N{number}", monitor_url=node.url)
    cycle = await poll_once()
    assert cycle.probed == len(bodies)
    states = [state async for state in NodeState.objects.order_by("pk")]
    assert {state.status for state in states} == {"degraded"}
    assert all(state.claimed_until is None for state in states)
