"""Slots and claims: nobody is probed twice, nobody is forgotten, nobody is probed by a ghost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from nodes.announcer import Announcer
from nodes.client import Outcome, ProbeResult
from nodes.models import Node, NodeProbe, NodeState
from nodes.recording import Finished, record_results
from nodes.schedule import (
    CATCH_UP,
    claim_all,
    claim_due,
    claim_node,
    next_slot,
    release,
    slot_offset,
)
from tests.prober.conftest import add_node

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def add_nodes(count: int, **state) -> None:
    """Nodes that were probed before and are due."""
    nodes = Node.objects.bulk_create(
        [
            Node(node_id=f"n{n:04}", declared={"router_url": "http://127.0.0.1:1"})
            for n in range(count)
        ]
    )
    fields = {"probed_at": timezone.now(), "next_probe_at": timezone.now()} | state
    NodeState.objects.bulk_create([NodeState(node=node, **fields) for node in nodes])


def test_slots_spread_evenly_and_are_the_same_everywhere():
    offsets = [slot_offset(f"node-{n}", 30) for n in range(3000)]
    per_second = Counter(int(offset) for offset in offsets)
    assert len(per_second) == 30
    assert max(per_second.values()) <= 2 * 100
    assert slot_offset("NODA1", 30) == pytest.approx(slot_offset("NODA1", 60) / 2)


@pytest.mark.parametrize("interval", [0.5, 2, 30, 3600])
def test_the_next_slot_is_after_now_and_within_the_interval(interval):
    at = NOW
    for _ in range(200):
        slot = next_slot("NODA1", interval, at)
        assert timedelta(0) < slot - at <= timedelta(seconds=interval + 0.002)
        at = slot
    assert at - NOW == pytest.approx(
        timedelta(seconds=200 * interval), abs=timedelta(seconds=interval)
    )


@pytest.mark.django_db(transaction=True)
def test_three_concurrent_claimers_never_share_a_node():
    add_nodes(300)
    now = timezone.now()

    def claimer(number: int) -> list[str]:
        try:
            taken: list[str] = []
            while claims := claim_due(7, f"worker-{number}", now):
                taken += [claim.node_id for claim in claims]
            return taken
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        taken = [node_id for part in pool.map(claimer, range(3)) for node_id in part]
    missed = NodeState.objects.filter(claimed_until=None).count()
    assert len(taken) == len(set(taken)) == 300 - missed
    if missed:  # SKIP LOCKED may have stepped over rows that were just being written
        assert len(claim_due(300, "late", now)) == missed
    assert set(NodeState.objects.values_list("fence", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
class TestOneNode:
    def finished(self, claim) -> Finished:
        return Finished(
            claim, ProbeResult(claim.node_id, Outcome.ANSWERED, source="health"), timezone.now()
        )

    def test_a_claimed_node_is_not_due_until_the_lease_ends(self):
        add_node("NODA1")
        (claim,) = claim_due(5, "a", timezone.now())
        assert claim_due(5, "b", timezone.now() + timedelta(seconds=9)) == []
        assert claim_node("NODA1", "b", timezone.now()) is None
        (again,) = claim_due(5, "b", timezone.now() + timedelta(seconds=11))
        assert again.fence == claim.fence + 1

    def test_a_late_result_under_an_old_fence_is_dropped(self):
        add_node("NODA1")
        (slept,) = claim_due(5, "a", timezone.now())
        (owner,) = claim_due(5, "b", timezone.now() + timedelta(seconds=60))
        assert record_results([self.finished(slept)], Announcer()) == []
        assert NodeProbe.objects.count() == 0
        assert len(record_results([self.finished(owner)], Announcer())) == 1

    def test_a_result_that_is_written_twice_counts_once(self):
        add_node("NODA1")
        (claim,) = claim_due(5, "a", timezone.now())
        assert len(record_results([self.finished(claim)], Announcer())) == 1
        assert record_results([self.finished(claim)], Announcer()) == []
        assert NodeProbe.objects.count() == 1

    def test_a_released_node_is_due_at_once(self):
        add_node("NODA1")
        (claim,) = claim_due(5, "a", timezone.now())
        release([claim])
        assert [c.node_id for c in claim_due(5, "b", timezone.now())] == ["NODA1"]

    def test_a_paused_node_is_only_probed_on_demand(self):
        add_node("NODA1")
        NodeState.objects.update(paused=True)
        assert claim_due(5, "a", timezone.now()) == []
        assert claim_all("a", timezone.now()) == []
        assert claim_node("NODA1", "a", timezone.now()) is not None

    def test_a_retired_node_is_left_alone(self):
        add_node("NODA1")
        Node.objects.update(retired_at=timezone.now())
        assert claim_due(5, "a", timezone.now()) == []

    def test_an_edit_is_picked_up_at_the_next_claim(self):
        add_node("NODA1", monitor_url="http://127.0.0.1:1")
        Node.objects.update(overrides={"monitor_url": "http://127.0.0.1:2", "timeout": 1})
        (claim,) = claim_due(5, "a", timezone.now())
        assert (claim.target.base_url, claim.target.timeout_s) == ("http://127.0.0.1:2", 1)

    def test_settings_that_cannot_be_read_do_not_stop_the_others(self, caplog):
        add_node("BROKEN", poll_interval="often")
        add_node("NODA1")
        assert [c.node_id for c in claim_due(5, "a", timezone.now())] == ["NODA1"]
        assert "cannot be probed" in caplog.text
        assert claim_due(5, "a", timezone.now()) == []


@pytest.mark.django_db(transaction=True)
def test_after_a_pause_of_ours_the_fleet_does_not_come_all_at_once():
    an_hour_ago = timezone.now() - timedelta(hours=1)
    add_nodes(200, next_probe_at=an_hour_ago, probed_at=an_hour_ago)
    now = timezone.now()
    # A few more than the cap: those whose own slot comes while the claim is being made.
    assert CATCH_UP <= len(claim_due(256, "a", now)) <= CATCH_UP + 10
    slots = [
        (at - now).total_seconds()
        for at in NodeState.objects.values_list("next_probe_at", flat=True)
    ]
    assert max(slots) <= 30.01
    assert len({int(slot / 3) for slot in slots if slot > 0}) >= 10


@pytest.mark.django_db(transaction=True)
def test_many_new_nodes_are_spread_once_and_then_probed_at_their_slots():
    add_nodes(200, probed_at=None)
    now = timezone.now()
    first = claim_due(256, "a", now)
    assert CATCH_UP <= len(first) <= CATCH_UP + 10
    waiting = 200 - len(first)
    later = claim_due(256, "a", now + timedelta(seconds=29.9))
    assert len([claim for claim in later if claim.fence == 1]) >= 0.95 * waiting
