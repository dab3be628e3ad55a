"""The numbers of a node are believable."""

import random
from datetime import UTC, datetime
from itertools import pairwise

from nodes.simulator.vitals import Drift, Vitals

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC).timestamp()
RUNBOOK_FIELDS = {
    "online", "ts", "node_id", "heartbeat_age_s", "router", "gateway",
    "alerts_loop_slo", "open_incidents", "backends", "last_artifacts",
}  # fmt: skip


def test_a_body_has_the_fields_of_the_runbook():
    body = Vitals("sim-001", seed=1, clock=lambda: NOON).monitor_status()

    assert set(body) == RUNBOOK_FIELDS
    assert body["online"] is True
    assert body["ts"] == "2026-02-24T12:00:00Z"
    assert set(body["backends"]) == {"alerts", "audit", "incidents", "risk_history", "backlog"}


def test_artifacts_are_of_today_and_of_this_iso_week():
    body = Vitals("sim-001", seed=1, clock=lambda: NOON).monitor_status()

    assert body["last_artifacts"] == {
        "risk_digest": "2026-02-24",
        "platform_digest": "2026-W09",
        "backlog": "2026-02-24",
    }


def test_numbers_stay_in_their_bounds_for_a_week():
    clock = iter(range(int(NOON), int(NOON) + 7 * 86_400, 300))
    vitals = Vitals("sim-001", seed=5, clock=lambda: next(clock))

    for _ in range(2016):
        body = vitals.monitor_status()
        assert 0 <= body["heartbeat_age_s"] < 10
        assert 4 <= body["router"]["latency_ms"] <= 60
        assert 180 <= body["alerts_loop_slo"]["p95_ms"] <= 620
        assert 0 <= body["alerts_loop_slo"]["failed_rate"] <= 0.012
        assert body["open_incidents"] in (0, 1, 2)


def test_a_number_moves_slowly():
    drift = Drift(random.Random(2), 0, 100, memory_s=300)
    values = [drift.value(second) for second in range(600)]

    assert max(abs(b - a) for a, b in pairwise(values)) < 10
    assert max(values) - min(values) > 5


def test_two_nodes_of_one_seed_tell_the_same_story():
    first, second = (Vitals("sim-001", seed=9, clock=lambda: NOON) for _ in range(2))

    assert first.monitor_status() == second.monitor_status()
