"""Trouble of our own is never shown as a node's."""

from __future__ import annotations

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from core.outbound import errors
from events.models import Event
from nodes import asker, client, prober
from nodes.client import Outcome
from nodes.models import Node, NodeProbe, NodeState, Transition
from nodes.own_faults import LoopWatch, Witnesses
from nodes.policy import NodesRegistry
from nodes.prober import poll_once, run_poller
from tests.prober.conftest import MONITOR, add_node

SILENT = "http://127.0.0.1:1"


@pytest.mark.django_db(transaction=True)
async def test_while_our_database_fails_nobody_flips_and_afterwards_nothing_is_lost(
    fake_node, monkeypatch
):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url, poll_interval=0.4)
    is_broken = False
    real = {"claim_due": prober.claim_due, "record_results": prober.record_results}

    def breakable(name):
        def call(*args):
            if is_broken:
                raise OperationalError("disk I/O error")
            return real[name](*args)

        return call

    for name in real:
        monkeypatch.setattr(prober, name, breakable(name))
    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))
    await asyncio.sleep(1)
    before = await NodeProbe.objects.acount()
    assert before >= 1
    is_broken = True
    await asyncio.sleep(1.5)
    is_broken = False
    await asyncio.sleep(2)
    stop.set()
    await running

    assert [row.after async for row in Transition.objects.all()] == ["online"]
    assert await NodeProbe.objects.acount() > before + 1
    state = await NodeState.objects.aget(pk="NODA1")
    assert (state.status, state.failures) == ("online", 0)


@pytest.mark.django_db(transaction=True)
async def test_one_result_that_cannot_be_written_costs_only_itself(fake_node, monkeypatch, caplog):
    good, poison = await fake_node(), await fake_node()
    good.say("/monitor/status", MONITOR)
    poison.say("/monitor/status", {**MONITOR, "node_id": "POISON"})
    await sync_to_async(add_node)("NODA1", monitor_url=good.url)
    await sync_to_async(add_node)("POISON", monitor_url=poison.url)
    real = prober.record_results

    def picky(batch, announcer):
        if any(finished.claim.node_id == "POISON" for finished in batch):
            raise ValueError("cannot be stored")
        return real(batch, announcer)

    monkeypatch.setattr(prober, "record_results", picky)
    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))
    await asyncio.sleep(1)
    stop.set()
    await running
    assert (await NodeState.objects.aget(pk="NODA1")).status == "online"
    assert (await NodeState.objects.aget(pk="POISON")).status == "unknown"
    assert "result cannot be written" in caplog.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("witness_lives", "status"), [(False, "unknown"), (True, "degraded")])
async def test_witnesses_decide_between_our_link_and_the_node(
    fake_node, monkeypatch, witness_lives, status
):
    witness = await fake_node()
    witness.say("/", {}, 500)
    urls = (witness.url + "/", "http://127.0.0.1:2/") if witness_lives else ("http://127.0.0.1:2/",)

    class File:
        value = NodesRegistry(witnesses=urls)

    monkeypatch.setattr(asker, "load_registry", File)
    for number in range(5):
        await sync_to_async(add_node)(f"N{number}", monitor_url=SILENT)
    await poll_once()
    states = [state async for state in NodeState.objects.all()]
    assert {state.status for state in states} == {status}
    assert {state.failures for state in states} == {1 if witness_lives else 0}
    assert witness.asked == ({"/": 1} if witness_lives else {})


async def test_without_witnesses_nothing_is_excused():
    async def none():
        return ()

    assert await Witnesses(none).all_silent() is False


async def test_a_loop_that_stood_still_is_noticed():
    watch = LoopWatch()
    watch.start()
    await asyncio.sleep(0.12)
    assert watch.starved_s < 0.1
    time.sleep(0.4)
    assert 0.25 < watch.starved_s < 0.6
    await asyncio.sleep(0.1)
    assert 0.25 < watch.starved_s < 0.6
    watch.stop()


@pytest.mark.django_db(transaction=True)
async def test_a_time_out_while_our_loop_stood_still_is_ours(fake_node):
    node = await fake_node()
    node.do("/monitor/status", lambda writer: asyncio.sleep(10))
    await sync_to_async(add_node)("NODA1", monitor_url=node.url, timeout=1)
    stop = asyncio.Event()
    running = asyncio.create_task(run_poller(stop))
    await asyncio.sleep(0.6)
    time.sleep(1)
    await asyncio.sleep(0.6)
    stop.set()
    await running
    state = await NodeState.objects.aget(pk="NODA1")
    assert (state.status, state.failures) == ("unknown", 0)
    assert "too busy" in state.error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.LocalFault("this process has no free file descriptors"), Outcome.OURS),
        (errors.PolicyRefused("refused by the allowlist"), Outcome.OURS),
        (errors.NameUnresolved("no answer", is_temporary=True), Outcome.OURS),
        (errors.NameUnresolved("no such name"), Outcome.UNREACHABLE),
        (errors.ConnectFailed("host unreachable", "unreachable"), Outcome.UNREACHABLE),
        (errors.TlsFailed("certificate not accepted: expired"), Outcome.BAD),
        (errors.BadResponse("not HTTP"), Outcome.BAD),
        (RuntimeError("a defect"), Outcome.OURS),
    ],
)
async def test_whose_fault_an_error_is(monkeypatch, error, outcome):
    async def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(client, "fetch", fail)
    await sync_to_async(add_node)("NODA1", monitor_url=SILENT)
    await poll_once()
    state = await NodeState.objects.aget(pk="NODA1")
    expected = {"ours": "unknown", "unreachable": "degraded", "bad": "degraded"}[outcome]
    assert state.status == expected
    assert state.failures == (outcome is Outcome.UNREACHABLE)


@pytest.mark.django_db(transaction=True)
async def test_what_a_node_said_last_stays_while_the_fault_is_ours(fake_node, monkeypatch):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url)
    await poll_once()

    async def fail(*args, **kwargs):
        raise errors.LocalFault("this machine's network is down")

    monkeypatch.setattr(client, "fetch", fail)
    await poll_once()
    state = await NodeState.objects.aget(pk="NODA1")
    assert (state.status, state.source) == ("unknown", "monitor")
    assert state.telemetry["open_incidents"] == 2


@pytest.mark.django_db(transaction=True)
async def test_what_an_offline_node_said_once_is_not_shown_as_true(fake_node):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    await sync_to_async(add_node)("NODA1", monitor_url=node.url)
    await poll_once()
    await node.stop()
    await poll_once()
    await poll_once()
    state = await NodeState.objects.aget(pk="NODA1")
    assert (state.status, state.source, state.failures) == ("offline", "none", 2)
    assert state.telemetry["router"] == {"ok": None, "latency_ms": None}
    assert await Event.objects.acount() >= 3
    assert await Node.objects.acount() == 1
