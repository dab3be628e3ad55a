"""Many nodes at once: those that hang cost nobody else anything, and events stay few."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import pairwise

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from events.models import Event
from nodes.models import NodeProbe, NodeState
from nodes.prober import poll_once, run_poller
from nodes.queries import fleet
from nodes.recording import summary
from tests.prober.conftest import MONITOR, add_node

pytestmark = pytest.mark.django_db(transaction=True)


async def test_ten_hanging_nodes_delay_none_of_the_other_ninety(fake_node):
    """R19: interval 2 s, 10 of 100 nodes accept and never answer; the others start less than 1 s late."""
    started = [await fake_node() for _ in range(100)]
    for number, node in enumerate(started):
        if number < 10:
            node.do("/monitor/status", lambda writer: asyncio.sleep(60))
        else:
            node.say("/monitor/status", {**MONITOR, "node_id": None})

    def register() -> None:
        for number, node in enumerate(started):
            add_node(f"n{number}", monitor_url=node.url, poll_interval=2, timeout=1.5)

    await sync_to_async(register)()
    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))
    await asyncio.sleep(8)
    stop.set()
    async with asyncio.timeout(2):
        await running

    gaps = []
    for node in started[10:]:
        assert len(node.starts) >= 3
        steady = node.starts[1:]  # the first probe of a new node is not at its slot
        gaps += [abs(b - a - 2) for a, b in pairwise(steady)]
    gaps.sort()
    assert gaps[int(len(gaps) * 0.95)] < 1.0
    hanging = [await NodeState.objects.aget(pk=f"n{n}") for n in range(10)]
    assert {state.status for state in hanging} <= {"offline", "degraded"}
    assert all(2 <= len(node.starts) <= 6 for node in started[:10])
    online = await NodeState.objects.filter(status="online").acount()
    assert online == 90
    assert (
        await NodeProbe.objects.filter(mark="f")
        .exclude(node_id__in=[f"n{n}" for n in range(10)])
        .acount()
        == 0
    )


async def test_a_node_that_flaps_with_every_probe_is_not_an_event_with_every_probe(fake_node):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url, poll_interval=0.3, timeout=1)

    async def flap() -> None:
        for turn in range(60):
            node.say(
                "/monitor/status", MONITOR if turn % 2 else {**MONITOR, "router": {"ok": False}}
            )
            await asyncio.sleep(0.05)
        node.say("/monitor/status", MONITOR)

    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))
    await flap()
    await asyncio.sleep(1.5)
    stop.set()
    await running
    events = [json.loads(event.data) async for event in Event.objects.order_by("id")]
    assert len(events) <= 4.5 / 0.5 + 1
    assert events[-1]["changed"][0]["status"] == "online"
    assert events[-1]["summary"]["online"] == 1


async def test_an_unchanged_fleet_makes_one_small_event_a_round(fake_node):
    node = await fake_node()
    for number in range(5):
        await sync_to_async(add_node)(f"N{number}", monitor_url=node.url)
    node.say("/monitor/status", {**MONITOR, "node_id": None})
    await poll_once()
    first = await Event.objects.acount()
    node.say(
        "/monitor/status",
        {
            **MONITOR,
            "node_id": None,
            "heartbeat_age_s": 9,
            "router": {"ok": True, "latency_ms": 13},
        },
    )
    await poll_once()
    later = [json.loads(event.data) async for event in Event.objects.order_by("id")][first:]
    assert [event["changed"] for event in later] == [[]]
    assert later[0]["cycle"]["probed"] == 5
    assert later[0]["summary"] == {
        "total": 5,
        "online": 5,
        "degraded": 0,
        "offline": 0,
        "unknown": 0,
        "maintenance": 0,
    }


def test_the_summary_is_the_fleets(db):
    now = timezone.now()
    for number, (status, more) in enumerate([
        ("online", {}), ("degraded", {}), ("offline", {}), ("unknown", {}),
        ("online", {"paused": True}), ("online", {"probed_at": None}),
    ]):  # fmt: skip
        state = add_node(
            f"N{number}", monitor_url="http://127.0.0.1:1", paused=more.get("paused", False)
        )
        for field, value in ({"probed_at": now, "status": status} | more).items():
            setattr(state, field, value)
        state.save()
    busy = add_node("BUSY", monitor_url="http://127.0.0.1:1")
    busy.node.maintenance_until = now + timedelta(hours=1)
    busy.node.save()
    assert summary(now) == fleet(now).summary
