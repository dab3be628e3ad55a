"""What is said of a node: status, the one sentence, reasons, warnings, hint, and the JSON of the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from nodes.queries import NodeView, fleet, matching, node_view, view_of
from tests.factories import make_node

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 25, 10, 0, tzinfo=UTC)


def view(**state: Any) -> NodeView:
    state = {"status": "online", "probed_at": NOW - timedelta(seconds=3), **state}
    return view_of(make_node(**state), NOW)


def test_an_online_node_says_how_fast_it_was_and_when() -> None:
    seen = view(latency_ms=12.3, last_seen_at=NOW - timedelta(seconds=3))

    assert (seen.status, seen.online, seen.stale) == ("online", True, False)
    assert seen.headline == "12 ms, seen 3 s ago"


def test_an_offline_node_says_for_how_long_and_why() -> None:
    gone = view(
        status="offline",
        since=NOW - timedelta(minutes=4),
        reasons=["connection refused"],
        failures=8,
    )

    assert gone.headline == "Offline for 4 min: connection refused"
    assert not gone.online


def test_a_degraded_node_is_online_while_it_answers() -> None:
    assert view(status="degraded", failures=0).online
    assert not view(status="degraded", failures=1).online


def test_a_node_that_was_never_probed_is_unknown() -> None:
    new = view(probed_at=None)

    assert (new.status, new.headline, new.reasons) == (
        "unknown",
        "Not probed yet",
        ["Not probed yet"],
    )
    assert new.age_s is None
    assert not new.stale


def test_a_paused_node_is_unknown_and_says_so() -> None:
    paused = view(overrides={"router_url": "http://10.0.0.1:1", "paused": True})

    assert (paused.status, paused.paused, paused.online) == ("unknown", True, False)
    assert paused.headline == "Paused by an operator"


def test_the_end_of_announced_work_has_day_and_hour_in_utc() -> None:
    until = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))

    assert view(maintenance_until=until).headline.endswith("28 Feb 22:30 UTC")


def test_announced_work_is_maintenance_until_it_is_over() -> None:
    at_work = view(status="offline", maintenance_until=NOW + timedelta(hours=1))
    over = view(status="offline", maintenance_until=NOW - timedelta(seconds=1))

    assert (at_work.status, at_work.headline) == ("maintenance", "In maintenance until 11:00 UTC")
    assert over.status == "offline"


@pytest.mark.parametrize(("age", "stale"), [(64, False), (66, True)])
def test_what_is_older_than_two_intervals_and_a_probe_is_stale(age: int, stale: bool) -> None:
    old = view(probed_at=NOW - timedelta(seconds=age))

    assert old.stale is stale
    assert old.headline.startswith("Stale: last probed 1 min ago, online then") is stale


def test_a_backend_that_forgets_is_a_warning() -> None:
    backends = {"audit": "memory", "alerts": "memory", "backlog": "postgres"}

    assert view(telemetry={"backends": backends}).warnings == ["alerts: memory", "audit: memory"]


def test_the_shipped_loopback_address_carries_a_hint() -> None:
    declared = {"router_url": "http://127.0.0.1:9102", "gateway_url": "http://127.0.0.1:9300"}
    shipped = view_of(
        make_node(
            "NODA1",
            declared=declared,
            overrides={"label": "x"},
            status="offline",
            failures=3,
            probed_at=NOW,
        ),
        NOW,
    )

    assert shipped.hint is not None
    assert "NODES_NODA1_ROUTER_URL and NODES_NODA1_GATEWAY_URL" in shipped.hint
    assert view(status="offline", failures=3).hint is None


def test_unknown_is_null_and_never_invented() -> None:
    facts = view(probed_at=None).as_dict()

    assert facts["router"] == {"ok": None, "latency_ms": None}
    assert facts["alerts_loop_slo"] == {"p95_ms": None, "failed_rate": None}
    assert facts["open_incidents"] is None
    assert facts["backends"] == {}
    assert facts["uptime"] == {"24h": None, "7d": None, "30d": None}
    assert facts["urls"]["router_url"] == {"value": None, "source": None}


def test_the_json_is_the_contracts() -> None:
    telemetry = {
        "ts": "2026-02-25T09:59:55Z",
        "heartbeat_age_s": 5,
        "router": {"ok": True, "latency_ms": 12},
        "open_incidents": 2,
        "backends": {"alerts": "postgres"},
        "last_artifacts": {"backlog": "2026-02-24"},
    }
    facts = view(telemetry=telemetry, source="monitor", latency_ms=12).as_dict()

    promised = {
        "node_id", "label", "status", "online", "reasons", "ts", "last_seen", "heartbeat_age_s", "probe",
        "router", "gateway", "alerts_loop_slo", "open_incidents", "backends", "last_artifacts", "urls",
        "uptime", "tags",
    }  # fmt: skip
    assert promised <= facts.keys()
    assert facts["ts"] == "2026-02-25T09:59:55Z"
    assert facts["probe"] == {
        "source": "monitor",
        "latency_ms": 12,
        "error": None,
        "consecutive_failures": 0,
    }
    assert facts["urls"]["monitor_url"] == {"value": "http://127.0.0.1:9", "source": "admin"}
    assert facts["since"].endswith("Z")


def test_recent_probes_are_told_with_their_time() -> None:
    seen = view(recent=[[1772013600, 12.5, "o"], [1772013630, None, "f"]])

    assert seen.recent == [
        {"ts": "2026-02-25T10:00:00.000Z", "latency_ms": 12.5, "mark": "o"},
        {"ts": "2026-02-25T10:00:30.000Z", "latency_ms": None, "mark": "f"},
    ]


def test_the_fleet_is_ordered_worst_first_and_counted() -> None:
    for word in ("online", "offline", "degraded", "unknown"):
        make_node(word, status=word, probed_at=NOW)
    make_node("paused", overrides={"router_url": "http://10.0.0.1:1", "paused": True})
    make_node("work", maintenance_until=NOW + timedelta(hours=1), probed_at=NOW)

    now = fleet(NOW)

    order = [seen.node.node_id for seen in now.nodes]
    assert order == ["offline", "degraded", "unknown", "work", "paused", "online"]
    assert now.summary == {
        "total": 6, "online": 1, "degraded": 1, "offline": 1, "unknown": 2, "maintenance": 1,
    }  # fmt: skip


def test_filters_are_joined() -> None:
    make_node("a", overrides={"label": "Alpha", "env": "prod", "tags": ["core"]})
    make_node("b", overrides={"label": "Beta", "env": "prod"})
    nodes = fleet(NOW).nodes

    def ids(**wanted: str) -> list[str]:
        return [seen.node.node_id for seen in matching(nodes, **wanted)]

    assert ids(env="prod") == ["a", "b"]
    assert ids(env="prod", tag="core") == ["a"]
    assert ids(q="bet") == ["b"]
    assert ids(q="CORE") == ["a"]
    assert ids(status="offline") == []


@pytest.mark.parametrize("number", [5, 50])
def test_the_fleet_costs_one_query_however_large(number: int) -> None:
    for _ in range(number):
        make_node(status="online", probed_at=NOW, recent=[[1772013600, 1, "o"]])

    with CaptureQueriesContext(
        connection,
    ) as queries:
        nodes = fleet(NOW).nodes
        assert len([seen.as_dict() | {"recent": seen.recent} for seen in nodes]) == number

    assert len(queries) == 1


def test_a_row_without_a_state_is_unknown() -> None:
    node = make_node("bare")
    node.state.delete()

    assert node_view("bare").status == "unknown"
