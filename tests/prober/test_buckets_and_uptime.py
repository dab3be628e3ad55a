"""History against a computation by hand: buckets, percentiles, uptime, forgetting."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from django.utils import timezone

from nodes import recording
from nodes.announcer import Announcer
from nodes.buckets import (
    RELATIVE_ERROR,
    WIDTHS,
    accumulate,
    add_probe,
    empty_bucket,
    merge,
    percentile,
    status_of,
)
from nodes.client import Outcome, ProbeResult
from nodes.history import history, prune_history, uptime
from nodes.models import NodeBucket, NodeProbe, NodeState
from nodes.recording import Finished, record_results
from nodes.schedule import claim_node
from tests.prober.conftest import add_node


def true_percentile(values, share):
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_within_the_promised_error_also_after_merging(seed):
    rng = random.Random(seed)
    values = [rng.lognormvariate(3, 1.5) for _ in range(3000)]
    parts = [empty_bucket(0) for _ in range(12)]
    for value in values:
        add_probe(rng.choice(parts), "o", value)
    whole = empty_bucket(0)
    for part in parts:
        merge(whole, part)
    assert RELATIVE_ERROR <= 0.05
    for share in (0.01, 0.5, 0.95, 0.99, 1.0):
        expected = true_percentile(values, share)
        assert percentile(whole["latency"], share) == pytest.approx(expected, rel=0.05)
    assert whole["latency"]["max"] == max(values)


def test_a_bucket_without_latencies_has_no_percentile():
    bucket = empty_bucket(0)
    add_probe(bucket, "f", None)
    assert percentile(bucket["latency"], 0.5) is None
    assert bucket["latency"]["max"] is None


@pytest.mark.parametrize("latency", [0.0, 0.001, 300_000.0])
def test_the_ends_of_the_scale_are_counted(latency):
    bucket = empty_bucket(0)
    add_probe(bucket, "o", latency)
    assert percentile(bucket["latency"], 0.5) == pytest.approx(latency, rel=0.05, abs=0.02)


@pytest.mark.parametrize(
    ("marks", "status"),
    [("", None), ("uu", "unknown"), ("oooo", "online"), ("oood", "degraded"), ("ooof", "degraded"),
     ("of", "offline"), ("ffff", "offline"), ("uuuo", "online"), ("uf", "offline")],
)  # fmt: skip
def test_the_word_for_a_bucket(marks, status):
    bucket = empty_bucket(0)
    for mark in marks:
        add_probe(bucket, mark, None)
    assert status_of(bucket) == status


def test_buckets_close_when_their_time_is_over_and_time_never_runs_backwards():
    buckets: dict = {}
    assert accumulate(buckets, 1000.0, "o", 1.0) == []
    closed = accumulate(buckets, 1200.0, "o", 1.0)
    assert [(name, bucket["ts"], bucket["probes"]) for name, bucket in closed] == [("5m", 900, 1)]
    assert accumulate(buckets, 1000.0, "f", None) == []  # the clock was set back
    assert buckets["5m"] == {**buckets["5m"], "ts": 1200, "probes": 2, "failed": 1}
    assert {name: bucket["ts"] for name, bucket in buckets.items()} == {
        "5m": 1200,
        "1h": 0,
        "1d": 0,
    }


class Recorder:
    """Writes results as if they were probed at given times."""

    def __init__(self, monkeypatch, node_id: str) -> None:
        self.node_id, self.clock = node_id, timezone.now()
        self.written: list[tuple[float, str, float | None]] = []
        monkeypatch.setattr(recording.timezone, "now", lambda: self.clock)

    def at(self, when: datetime, mark: str, latency: float | None) -> None:
        self.clock = when
        claim = claim_node(self.node_id, "tester", when)
        outcome = {
            "o": Outcome.ANSWERED, "d": Outcome.BAD, "f": Outcome.UNREACHABLE, "u": Outcome.OURS,
        }[mark]  # fmt: skip
        result = ProbeResult(self.node_id, outcome, latency_ms=latency, error=None)
        (judged,) = record_results([Finished(claim, result, when)], Announcer())
        assert judged.mark == mark
        self.written.append((when.timestamp(), mark, latency))


def brute_force_uptime(written, now: datetime, days: int) -> float | None:
    """Whole hours before the hour of the last probe, reaching `days` back from it, and that hour itself."""
    last_hour = int(written[-1][0] // 3600) * 3600
    inside = [mark for at, mark, _ in written if at >= last_hour - days * 86_400]
    known = [mark for mark in inside if mark != "u"]
    return round(sum(mark != "f" for mark in known) / len(known), 6) if known else None


@pytest.mark.django_db(transaction=True)
def test_uptime_and_history_agree_with_counting_by_hand(monkeypatch):
    add_node("NODA1", monitor_url="http://127.0.0.1:1")
    rng = random.Random(7)
    recorder = Recorder(monkeypatch, "NODA1")
    at = datetime(2026, 9, 1, 0, 7, tzinfo=UTC)
    for _ in range(420):  # steps from minutes to half a day: about 40 days
        at += timedelta(minutes=rng.choice([3, 7, 40, 55, 300, 700]))
        mark = rng.choice("ooooodffu")
        recorder.at(at, mark, rng.lognormvariate(3, 1) if mark in "od" else None)
    state = NodeState.objects.get(pk="NODA1")
    written = recorder.written

    shares = uptime(state, at)
    for window, days in (("24h", 1), ("7d", 7), ("30d", 30)):
        assert shares[window] == brute_force_uptime(written, at, days)
    assert [row[2] for row in state.recent] == [mark for _, mark, _ in written[-40:]]

    for name, width in WIDTHS.items():
        closed = NodeBucket.objects.filter(resolution=name)
        total = sum(bucket.probes for bucket in closed) + state.open_buckets[name]["probes"]
        assert total == len(written)
        assert len({int(at // width) for at, _, _ in written}) == closed.count() + 1

    for range_name, width, count in (
        ("1h", 60, 60), ("24h", 300, 288), ("7d", 3600, 168), ("30d", 86_400, 30),
    ):  # fmt: skip
        end = (int(at.timestamp()) // width + 1) * width
        shown = history("NODA1", range_name, now=at)
        assert len(shown) == count
        for bucket in shown:
            start = datetime.fromisoformat(bucket["ts"]).timestamp()
            assert end - count * width <= start < end
            mine = [row for row in written if start <= row[0] < start + width]
            assert bucket["probes"] == len(mine)
            assert bucket["failed"] == sum(mark == "f" for _, mark, _ in mine)
            latencies = [latency for _, _, latency in mine if latency is not None]
            if latencies:
                expected = true_percentile(latencies, 0.5)
                assert bucket["latency_ms"]["p50"] == pytest.approx(expected, rel=0.05)
                assert bucket["latency_ms"]["max"] == max(latencies)
            else:
                assert bucket["latency_ms"] == {"p50": None, "p95": None, "max": None}


@pytest.mark.django_db
def test_a_node_that_nobody_probed_has_no_uptime():
    state = add_node("NODA1")
    assert uptime(state, timezone.now()) == {"24h": None, "7d": None, "30d": None}
    assert {bucket["status"] for bucket in history("NODA1", "24h")} == {None}


@pytest.mark.django_db
def test_what_is_past_its_time_is_forgotten_and_nothing_else():
    node = add_node("NODA1").node
    now = timezone.now()
    for hours in (1, 23, 25, 800):
        NodeProbe.objects.create(node=node, ts=now - timedelta(hours=hours), mark="o")
    for resolution, days in (
        ("5m", 29),
        ("5m", 31),
        ("1h", 399),
        ("1h", 401),
        ("1d", 1800),
        ("1d", 1840),
    ):
        NodeBucket.objects.create(
            node=node, resolution=resolution, ts=now - timedelta(days=days),
            probes=1, failed=0, degraded=0, unknown=0, latency=empty_bucket(0)["latency"],
        )  # fmt: skip
    assert prune_history(now) == 5
    assert NodeProbe.objects.count() == 2
    kept = sorted(
        (bucket.resolution, (now - bucket.ts).days) for bucket in NodeBucket.objects.all()
    )
    assert kept == [("1d", 1800), ("1h", 399), ("5m", 29)]
