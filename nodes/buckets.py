"""Arithmetic of a node's history: marks, mergeable latency sketches, buckets of probes, sums of uptime.

A sketch counts latencies in bins whose bounds grow by a constant factor (the idea of DDSketch): any percentile is within
`RELATIVE_ERROR` of the true one, and sketches of neighbouring buckets add up bin by bin without losing that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil, log
from typing import Any, TypedDict

RECENT = 40
_FACTOR = 1.08
_LOG_FACTOR = log(_FACTOR)
RELATIVE_ERROR = (_FACTOR - 1) / (_FACTOR + 1)  # 3.8 %
_SMALLEST_MS = 0.01

#: Seconds in a bucket of each stored resolution; the keys are `NodeBucket.Resolution`.
WIDTHS: dict[str, int] = {"5m": 300, "1h": 3_600, "1d": 86_400}
HOUR = "1h"
DAYS_OF_WINDOW = {"24h": 1, "7d": 7, "30d": 30}


class Mark(StrEnum):
    """One letter for what a probe found; `u` is a fault of ours and counts for nothing."""

    ONLINE = "o"
    DEGRADED = "d"
    FAILED = "f"
    UNKNOWN = "u"


class Sketch(TypedDict):
    """Latencies in ms: counts by bin, and the exact largest."""

    bins: dict[str, int]
    max: float | None


class Bucket(TypedDict):
    """What was found in a stretch of time that begins at `ts` (unix seconds)."""

    ts: int
    probes: int
    failed: int
    degraded: int
    unknown: int
    latency: Sketch


def empty_bucket(ts: int) -> Bucket:
    """A bucket that nothing fell into yet."""
    return Bucket(
        ts=ts, probes=0, failed=0, degraded=0, unknown=0, latency=Sketch(bins={}, max=None)
    )


def add_probe(bucket: Bucket, mark: str, latency_ms: float | None) -> None:
    """Count one probe."""
    bucket["probes"] += 1
    if mark == Mark.FAILED:
        bucket["failed"] += 1
    elif mark == Mark.DEGRADED:
        bucket["degraded"] += 1
    elif mark == Mark.UNKNOWN:
        bucket["unknown"] += 1
    if latency_ms is not None:
        sketch = bucket["latency"]
        key = str(ceil(log(max(latency_ms, _SMALLEST_MS)) / _LOG_FACTOR))
        sketch["bins"][key] = sketch["bins"].get(key, 0) + 1
        sketch["max"] = max(latency_ms, sketch["max"] or 0.0)


def merge(target: Bucket, other: Mapping[str, Any]) -> None:
    """Add the other's counts to `target`."""
    target["probes"] += other["probes"]
    target["failed"] += other["failed"]
    target["degraded"] += other["degraded"]
    target["unknown"] += other["unknown"]
    sketch, more = target["latency"], other["latency"]
    for key, count in more["bins"].items():
        sketch["bins"][key] = sketch["bins"].get(key, 0) + count
    if more["max"] is not None:
        sketch["max"] = max(more["max"], sketch["max"] or 0.0)


def percentile(sketch: Sketch, share: float) -> float | None:
    """The latency that `share` of the probes did not exceed (nearest rank); None without any."""
    total = sum(sketch["bins"].values())
    rank = max(1, ceil(share * total))
    for key, count in sorted((int(key), count) for key, count in sketch["bins"].items()):
        rank -= count
        if rank <= 0:
            middle = 2 * _FACTOR**key / (_FACTOR + 1)
            return round(min(middle, sketch["max"] or middle), 2)
    return None


def bucket_start(at: float, width: int) -> int:
    """Where the bucket that holds a moment (unix seconds) begins, in UTC."""
    return int(at // width) * width


def accumulate(
    open_buckets: dict[str, Bucket], at: float, mark: str, latency_ms: float | None
) -> list[tuple[str, Bucket]]:
    """Count a probe in the open buckets (changed in place); the buckets whose time is over come back closed.

    Time never runs backwards here: a probe from before the open bucket (the clock was set back, a result had to wait) is
    counted in the open one, because a closed bucket is history.
    """
    closed: list[tuple[str, Bucket]] = []
    for resolution, width in WIDTHS.items():
        start = bucket_start(at, width)
        current = open_buckets.get(resolution)
        if current is None or current["ts"] < start:
            if current is not None:
                closed.append((resolution, current))
            current = open_buckets[resolution] = empty_bucket(start)
        add_probe(current, mark, latency_ms)
    return closed


def status_of(bucket: Mapping[str, Any]) -> str | None:
    """One word for a bucket; None where nothing was probed."""
    if not bucket["probes"]:
        return None
    known = bucket["probes"] - bucket["unknown"]
    if not known:
        return "unknown"
    if 2 * bucket["failed"] >= known:
        return "offline"
    return "degraded" if bucket["failed"] or bucket["degraded"] else "online"


def share_up(known: int, up: int) -> float | None:
    """Part of the probes that were answered; probes that failed through our fault are in neither number."""
    return round(up / known, 6) if known else None


def known_and_up(buckets: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Sums over buckets for `share_up`."""
    known = up = 0
    for bucket in buckets:
        known += bucket["probes"] - bucket["unknown"]
        up += bucket["probes"] - bucket["unknown"] - bucket["failed"]
    return known, up


def moment(ts: float) -> datetime:
    """Unix seconds as an aware time."""
    return datetime.fromtimestamp(ts, UTC)
