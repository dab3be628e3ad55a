"""The whole way: a node on loopback, a probe, a row, an event."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async

from events.models import Event
from nodes.models import NodeProbe, NodeState, Transition
from nodes.prober import last_cycle, poll_once, probe_now, run_poller
from tests.prober.conftest import MONITOR, add_node

pytestmark = pytest.mark.django_db(transaction=True)


async def test_one_round_writes_state_history_timeline_and_event(fake_node):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url)

    cycle = await poll_once()

    assert (cycle.probed, cycle.failed) == (1, 0)
    assert last_cycle() == cycle
    state = await NodeState.objects.aget(pk="NODA1")
    assert (state.status, state.source, state.reasons) == ("online", "monitor", [])
    assert state.telemetry["open_incidents"] == 2
    assert state.telemetry["backends"]["alerts"] == "postgres"
    assert state.claimed_until is None
    assert state.recent[0][2] == "o"
    assert state.open_buckets["1h"]["probes"] == 1
    assert await NodeProbe.objects.acount() == 1
    assert (await Transition.objects.aget()).after == "online"
    data = [json.loads(event.data) async for event in Event.objects.order_by("id")]
    assert data[0]["summary"]["online"] == 1
    assert data[0]["changed"][0]["node_id"] == "NODA1"
    assert data[-1]["cycle"]["probed"] == 1


async def test_probing_now_answers_with_a_fresh_state_and_twice_at_once_probes_once(fake_node):
    node = await fake_node()

    async def slowly(writer):
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}')

    node.do("/monitor/status", slowly)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url)

    await asyncio.gather(probe_now("NODA1"), probe_now("NODA1"))

    assert node.asked["/monitor/status"] == 1
    assert (await NodeState.objects.aget(pk="NODA1")).status == "online"


async def test_an_unknown_node_is_no_error(fake_node):
    await probe_now("nobody")


async def test_the_poller_runs_and_stops_within_two_seconds_without_losing_results(fake_node):
    node, hanging = await fake_node(), await fake_node()
    node.say("/monitor/status", MONITOR)
    hanging.do("/monitor/status", lambda writer: asyncio.sleep(30))
    await sync_to_async(add_node)("NODA1", monitor_url=node.url, poll_interval=0.5)
    await sync_to_async(add_node)("HANGS", monitor_url=hanging.url, timeout=20)
    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))

    await asyncio.sleep(1.5)
    stop.set()
    async with asyncio.timeout(2):
        await running

    state = await NodeState.objects.aget(pk="NODA1")
    assert state.status == "online"
    assert 2 <= await NodeProbe.objects.filter(node_id="NODA1").acount() <= 5
    released = await NodeState.objects.aget(pk="HANGS")
    assert released.claimed_until is None
    assert released.status == "unknown"
    assert released.failures == 0
