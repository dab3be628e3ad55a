"""What a result means, as a table: pure, without network and database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from nodes.client import Outcome, ProbeResult
from nodes.judge import Thresholds, verdict
from nodes.telemetry import normalise
from tests.prober.conftest import MONITOR

NOW = datetime(2026, 2, 25, 10, 0, 5, tzinfo=UTC)
LIMITS = Thresholds(offline_after=2, online_after=1, stale_after_s=90)


@dataclass
class Known:
    status: str = "online"
    failures: int = 0
    successes: int = 5


SILENT = ProbeResult("NODA1", Outcome.UNREACHABLE, error="Connection refused")
OURS = ProbeResult("NODA1", Outcome.OURS, error="Not probed: this machine has no route")


def answered(body: object, source="monitor", expected="router", node_id="NODA1") -> ProbeResult:
    telemetry, complaints = normalise(body, now=NOW)
    return ProbeResult(
        node_id,
        Outcome.ANSWERED,
        source=source,
        telemetry=telemetry,
        complaints=tuple(complaints),
        expected=expected,
    )


def health(body: object, **more) -> ProbeResult:
    return answered(body, source="health", **more)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        # the bodies that were captured from running services
        ({"status": "ok", "service": "router", "version": "1.0.0", "nats_connected": False}, "online", ""),
        ({"status": "healthy", "service": "dagi-router", "version": "1.0.0", "node": "dagi-devtools-node-01"}, "online", ""),
        ({"service": "DAGI Router", "version": "1", "status": "operational", "endpoints": {}}, "online", ""),
        ({"status": "ok", "service": "memory-service"}, "degraded", "memory-service answers where its router should"),
        ({"status": "degraded", "service": "x", "database": {"connected": False}}, "degraded", "Says that its status is “degraded”"),
        ({"status": "unhealthy", "error": "[Errno 2] No such file: 'whisper'"}, "degraded", "Says that its status is “unhealthy”"),
        ({"ok": True, "service": "daarion-edge-backend", "status": "maintenance"}, "degraded", "Says that its status is “maintenance”"),
        ({"ok": True, "service": "daarion-edge-backend", "status": "ok"}, "online", ""),
        ({"status": "healthy", "agents": {"a": {"name": "x"}}, "agents_count": 5}, "online", ""),
        ({"status": "RUNNING"}, "online", ""),
        ({"status": "starting"}, "degraded", "Says that its status is “starting”, a word that this console does not know"),
        ({"ok": False}, "degraded", "Says that it is not ok"),
        ({"ok": False, "status": "ok"}, "online", ""),
        ({}, "online", ""),
    ],
)  # fmt: skip
def test_captured_health_bodies(body, status, reason):
    judged = verdict(Known(), health(body), LIMITS, NOW)
    assert (judged.status, "".join(judged.reasons[:1])) == (status, reason)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({}, "online", ""),
        ({"router": {"ok": False, "latency_ms": 9}}, "degraded", "Its router is down"),
        ({"gateway": {"ok": False}}, "degraded", "Its gateway is down"),
        ({"heartbeat_age_s": 91}, "degraded", "Its heartbeat is older than 90 s"),
        ({"heartbeat_age_s": 90}, "online", ""),
        ({"heartbeat_age_s": None, "ts": "2026-02-25T09:00:00Z"}, "degraded", "Its heartbeat is older than 90 s"),
        ({"heartbeat_age_s": None, "ts": "2026-02-25T11:00:00Z"}, "online", ""),
        ({"ts": "2020-01-01T00:00:00Z"}, "online", ""),
        ({"node_id": "NODA7"}, "degraded", "Answers as NODA7: is this the right address?"),
        ({"node_id": "noda1"}, "online", ""),
        ({"open_incidents": "two"}, "degraded", "Bad status report: open_incidents is not a whole number"),
        ({"router": None, "gateway": None, "backends": None}, "online", ""),
    ],
)  # fmt: skip
def test_the_runbooks_body_with_one_thing_changed(change, status, reason):
    judged = verdict(Known(), answered({**MONITOR, **change}), LIMITS, NOW)
    assert (judged.status, "".join(judged.reasons[:1])) == (status, reason)


def test_a_memory_service_may_answer_where_it_is_at_home():
    body = {"status": "ok", "service": "memory-service"}
    assert verdict(Known(), health(body, expected="monitor"), LIMITS, NOW).status == "online"
    memory_node = replace(LIMITS, role="memory")
    assert verdict(Known(), health(body), memory_node, NOW).status == "online"


def test_silence_makes_a_node_degraded_and_then_offline():
    first = verdict(Known(), SILENT, LIMITS, NOW)
    assert (first.status, first.failures, first.successes) == ("degraded", 1, 0)
    second = verdict(Known(first.status, first.failures, 0), SILENT, LIMITS, NOW)
    assert (second.status, second.failures, second.mark) == ("offline", 2, "f")
    assert second.reasons == ("Connection refused",)


def test_a_node_that_is_away_for_years_does_not_outgrow_its_column():
    judged = verdict(Known("offline", 1_000_000, 0), SILENT, LIMITS, NOW)
    assert (judged.status, judged.failures) == ("offline", 1_000_000)


def test_one_good_probe_ends_offline():
    judged = verdict(Known("offline", 40, 0), answered(MONITOR), LIMITS, NOW)
    assert (judged.status, judged.failures, judged.successes) == ("online", 0, 1)


def test_a_node_has_to_prove_itself_where_the_registry_says_so():
    strict = replace(LIMITS, online_after=3)
    known = Known("offline", 9, 0)
    seen = []
    for _ in range(4):
        judged = verdict(known, answered(MONITOR), strict, NOW)
        known = Known(judged.status, judged.failures, judged.successes)
        seen.append(str(judged.status.value))
    assert seen == ["degraded", "degraded", "online", "online"]


def test_a_new_node_is_online_at_its_first_good_probe():
    strict = replace(LIMITS, online_after=3)
    assert verdict(Known("unknown", 0, 0), answered(MONITOR), strict, NOW).status == "online"


def test_our_own_fault_says_nothing_of_the_node():
    known = Known("online", 1, 0)
    for _ in range(100):
        judged = verdict(known, OURS, LIMITS, NOW)
        known = Known(judged.status, judged.failures, judged.successes)
    assert (known.status, known.failures, known.successes) == ("unknown", 1, 0)
    assert judged.mark == "u"
    assert verdict(known, answered(MONITOR), LIMITS, NOW).status == "online"


@pytest.mark.parametrize("code", [500, 503, 401, 403])
def test_an_error_answer_is_not_being_offline(code):
    refused = ProbeResult("N", Outcome.BAD, http_status=code, error=f"Router answered {code}")
    known = Known()
    for _ in range(5):
        judged = verdict(known, refused, LIMITS, NOW)
        known = Known(judged.status, judged.failures, judged.successes)
    assert (judged.status, judged.failures) == ("degraded", 0)
    assert judged.reasons == (f"Router answered {code}",)


def test_a_node_that_calls_itself_offline_is_believed():
    said = answered({**MONITOR, "online": False})
    first = verdict(Known(), said, LIMITS, NOW)
    second = verdict(Known(first.status, first.failures, 0), said, LIMITS, NOW)
    assert (first.status, second.status) == ("degraded", "offline")
    assert second.reasons == ("Says that it is offline",)


REQUIRED = replace(
    LIMITS,
    backends={"alerts": ["postgres"]},
    artifact_max_age_s={"risk_digest": 36 * 3600.0, "platform_digest": 9 * 86_400.0},
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"backends": {"alerts": "memory"}}, "Backend alerts is memory; required is postgres"),
        ({"backends": {}}, "Backend alerts is not reported; required is postgres"),
        ({"last_artifacts": {"risk_digest": "2026-02-22", "platform_digest": "2026-W08"}}, "Artifact risk_digest (2026-02-22) is older than 36 h"),
        ({"last_artifacts": {"risk_digest": "2026-02-24", "platform_digest": "2026-W06"}}, "Artifact platform_digest (2026-W06) is older than 9 days"),
        ({"last_artifacts": {"risk_digest": "soon", "platform_digest": "2026-W08"}}, "Artifact risk_digest is not reported"),
        ({"last_artifacts": {"risk_digest": "2026-02-24", "platform_digest": "2026-W99"}}, "Artifact platform_digest is not reported"),
    ],
)  # fmt: skip
def test_what_the_registry_requires(change, reason):
    judged = verdict(Known(), answered({**MONITOR, **change}), REQUIRED, NOW)
    assert "".join(judged.reasons) == reason


def test_what_is_required_and_not_told_is_unknown_not_fine():
    judged = verdict(Known(), health({"status": "ok"}), REQUIRED, NOW)
    assert judged.reasons == (
        "What the registry requires of it is unknown: it has no /monitor/status",
    )
