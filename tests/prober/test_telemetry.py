"""What is kept of a body, and what is said of the rest."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.telemetry import MAX_COMPLAINTS, MAX_ENTRIES, normalise
from tests.prober.conftest import MONITOR

NOW = datetime(2026, 2, 25, 10, 0, 5, tzinfo=UTC)


def test_the_runbooks_body_is_kept_whole():
    telemetry, complaints = normalise(MONITOR, now=NOW)
    assert complaints == []
    assert telemetry.online is True
    assert telemetry.as_json() == {
        "ts": "2026-02-25T10:00:00Z",
        "heartbeat_age_s": 5,
        "clock_skew_s": None,
        "router": {"ok": True, "latency_ms": 12},
        "gateway": {"ok": True, "latency_ms": 8},
        "alerts_loop_slo": {"p95_ms": 320, "failed_rate": 0.0},
        "open_incidents": 2,
        "backends": MONITOR["backends"],
        "last_artifacts": MONITOR["last_artifacts"],
        "node_id": "NODA1",
        "service": None,
        "version": None,
        "status_word": None,
    }


def test_what_is_not_reported_is_null_and_no_complaint():
    telemetry, complaints = normalise({"status": "ok"})
    assert complaints == []
    data = telemetry.as_json()
    assert data["open_incidents"] is None
    assert data["backends"] == {}
    assert data["router"] == {"ok": None, "latency_ms": None}


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("open_incidents", "2", "open_incidents is not a whole number"),
        ("open_incidents", 2.5, "open_incidents is not a whole number"),
        ("open_incidents", True, "open_incidents is not a whole number"),
        ("open_incidents", -1, "open_incidents is below 0"),
        ("open_incidents", math.inf, "open_incidents is not a finite number"),
        ("open_incidents", 10**15, "open_incidents is above 1e+09"),
        ("heartbeat_age_s", math.nan, "heartbeat_age_s is not a finite number"),
        ("heartbeat_age_s", "1e200000", "heartbeat_age_s is not a number"),
        ("heartbeat_age_s", -3, "heartbeat_age_s is below 0"),
        ("online", "yes", "online is neither true nor false"),
        ("online", 1, "online is neither true nor false"),
        ("router", [1], "router is not an object"),
        ("router", {"ok": 1}, "router.ok is neither true nor false"),
        ("router", {"ok": True, "latency_ms": {}}, "router.latency_ms is not a number"),
        ("alerts_loop_slo", {"failed_rate": 1.5}, "alerts_loop_slo.failed_rate is above 1"),
        ("ts", "yesterday", "ts is not an RFC 3339 time"),
        ("ts", 1772013600, "ts is not an RFC 3339 time"),
        ("ts", "0001-01-01T00:00:00+23:59", "ts is not an RFC 3339 time"),
        ("node_id", 7, "node_id is not text"),
        ("version", "1\x1b[31m", "version holds characters that cannot be shown"),
        ("version", "v" * 500, "version is longer than 120 characters"),
        ("backends", {"alerts": 3}, "backends.alerts is not text"),
        ("backends", "postgres", "backends is not an object"),
    ],
)
def test_a_wrong_field_is_dropped_with_a_complaint_and_the_others_stay(field, value, complaint):
    telemetry, complaints = normalise({**MONITOR, field: value}, now=NOW)
    assert complaint in complaints
    assert telemetry.gateway_ok is True
    assert "2026-02-24" in telemetry.last_artifacts.values()


def test_text_is_shown_without_what_terminals_obey():
    telemetry, _ = normalise({"version": "1\u202e\x002", "service": "a\ud800b"})
    assert (telemetry.version, telemetry.service) == ("12", "ab")


def test_the_age_comes_from_the_time_stamp_where_it_is_not_given():
    telemetry, _ = normalise({"ts": "2026-02-25T12:00:00+02:00"}, now=NOW)
    assert (telemetry.heartbeat_age_s, telemetry.clock_skew_s) == (5.0, None)


def test_a_clock_that_runs_ahead_is_noted_and_gives_no_negative_age():
    telemetry, complaints = normalise({"ts": "2026-02-25T10:10:05Z"}, now=NOW)
    assert (telemetry.heartbeat_age_s, telemetry.clock_skew_s) == (0.0, 600.0)
    assert complaints == []


def test_maps_are_capped():
    telemetry, complaints = normalise({"backends": {f"b{n}": "x" for n in range(5000)}})
    assert len(telemetry.backends) == MAX_ENTRIES
    assert complaints == ["backends has more than 32 entries"]


@pytest.mark.parametrize("body", [None, 1, "ok", [], [{}], True, math.nan])
def test_what_is_no_object_says_nothing(body):
    telemetry, complaints = normalise(body)
    assert complaints == ["the answer is not a JSON object"]
    assert telemetry.as_json()["open_incidents"] is None


KEYS = st.sampled_from(
    [*MONITOR, "status", "service", "version", "ok", "latency_ms", "p95_ms", "alerts"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
    | st.sampled_from(["ok", "offline", "2026-02-24", "2026-W08", "9999-12-31T23:59:59-23:59", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=14))
def test_whatever_comes_is_never_an_exception_and_always_storable(body):
    telemetry, complaints = normalise(body)
    written = orjson.dumps(telemetry.as_json())  # refuses surrogates
    assert orjson.loads(written) == telemetry.as_json()  # NaN would come back as null
    assert len(complaints) <= MAX_COMPLAINTS
    assert all(text.isprintable() for text in complaints)
