"""The `cycle` of an event counts what was probed since the event before it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from events.models import Event
from nodes import announcer as announcing
from nodes.announcer import Announcer
from nodes.client import Outcome, ProbeResult
from nodes.recording import Cycle, Finished, announce, record_results
from nodes.schedule import claim_node
from tests.prober.conftest import add_node

pytestmark = pytest.mark.django_db


def probed(node_id: str, outcome: Outcome, ago_s: float = 0.0) -> Finished:
    claim = claim_node(node_id, "a", timezone.now())
    assert claim is not None
    result = ProbeResult(node_id, outcome, source="health")
    return Finished(claim, result, timezone.now() - timedelta(seconds=ago_s))


def cycles() -> list[dict[str, int]]:
    rows = Event.objects.filter(type="nodes.status").order_by("id")
    return [json.loads(row.data)["cycle"] for row in rows]


def test_a_change_that_is_told_late_tells_what_was_probed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for node_id in "abc":
        add_node(node_id)
    announcer = Announcer()
    record_results([probed("a", Outcome.ANSWERED, ago_s=2)], announcer)
    assert [(c["probed"], c["failed"]) for c in cycles()] == [(1, 0)]
    assert 2000 <= cycles()[0]["duration_ms"] < 4000

    record_results([probed("b", Outcome.ANSWERED, ago_s=3)], announcer)
    record_results([probed("c", Outcome.UNREACHABLE, ago_s=1)], announcer)
    assert len(cycles()) == 1  # too soon for another

    monkeypatch.setattr(announcing, "EVENT_GAP_S", 0.0)
    assert announce(announcer)
    late = cycles()[1]
    assert (late["probed"], late["failed"]) == (2, 1)
    assert 3000 <= late["duration_ms"] < 5000


def test_the_event_of_a_whole_cycle_tells_its_totals_and_begins_the_count_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for node_id in "abc":
        add_node(node_id)
    announcer = Announcer()
    record_results([probed("a", Outcome.ANSWERED)], announcer)
    record_results([probed("b", Outcome.ANSWERED)], announcer)
    assert announce(announcer, Cycle(2, 0, 1234))
    assert cycles()[1] == {"probed": 2, "failed": 0, "duration_ms": 1234}

    monkeypatch.setattr(announcing, "EVENT_GAP_S", 0.0)
    record_results([probed("c", Outcome.ANSWERED)], announcer)
    assert cycles()[2]["probed"] == 1
