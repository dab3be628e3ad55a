"""A node's past as drawings: path data and words for templates, made from the buckets of `nodes.history`.

Drawn in a box of WIDTH x HEIGHT that the page stretches to its own width; labels stand outside of it, as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.formatting import milliseconds, percent, plural

WIDTH = 1000
HEIGHT = 200
_LABELS = 5
_TIME_FORMS = {"1h": "%H:%M", "24h": "%H:%M", "7d": "%a %-d %b", "30d": "%-d %b"}
#: Even, so that the label in the middle of the axis is exact.
_STEPS = (1, 2, 4, 6, 8, 10)
Bucket = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slot:
    """One bucket: its place in the box, its state and what it says when pointed at."""

    x: float
    width: float
    state: str
    words: str
    ts: str
    label: str
    probes: int
    failed: int
    p50: str
    p95: str
    max: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Latency over a range. `line` is the median, `band` reaches from it to p95, `failed` marks failures.

    `dots` are medians without neighbours, of which no line can be drawn.
    """

    line: str
    dots: str
    band: str
    failed: str
    ceiling: str
    middle: str
    times: tuple[str, ...]
    slots: tuple[Slot, ...]
    words: str
    is_empty: bool


def chart(buckets: Sequence[Bucket], range_name: str) -> Chart:
    """The drawing of a range that `nodes.history.history` answered."""
    top = _ceiling(buckets)
    step = WIDTH / max(1, len(buckets))
    form = _TIME_FORMS[range_name]
    return Chart(
        line=_line(buckets, step, top),
        dots=_dots(buckets, step, top),
        band=_band(buckets, step, top),
        failed="".join(
            f"M{(i + 0.5) * step:.1f} {HEIGHT}v-{_failure_height(bucket)}"
            for i, bucket in enumerate(buckets)
            if bucket["failed"]
        ),
        ceiling=milliseconds(top) if _stretches(buckets) else "",
        middle=milliseconds(top / 2) if _stretches(buckets) else "",
        times=_times(buckets, form),
        slots=tuple(_slot(bucket, i * step, step, form) for i, bucket in enumerate(buckets)),
        words=_words(buckets, range_name),
        is_empty=not any(bucket["probes"] for bucket in buckets),
    )


def _ceiling(buckets: Sequence[Bucket]) -> float:
    """A round number above every p95, so that the axis reads well."""
    highest = max((bucket["latency_ms"]["p95"] or 0.0 for bucket in buckets), default=0.0)
    unit = 1.0
    while unit * 10 < highest:
        unit *= 10
    return next((step * unit for step in _STEPS if step * unit >= highest), 10 * unit)


def _y(value: float, top: float) -> float:
    return HEIGHT - HEIGHT * min(value, top) / top


def _stretches(buckets: Sequence[Bucket]) -> list[list[int]]:
    """Indexes of buckets with latencies, in unbroken stretches."""
    found: list[list[int]] = []
    previous = -2
    for index, bucket in enumerate(buckets):
        if bucket["latency_ms"]["p50"] is None:
            continue
        if index != previous + 1:
            found.append([])
        found[-1].append(index)
        previous = index
    return found


def _line(buckets: Sequence[Bucket], step: float, top: float) -> str:
    lines = (stretch for stretch in _stretches(buckets) if len(stretch) > 1)
    return "".join(
        "M" + "L".join(_point(buckets, i, step, top) for i in stretch) for stretch in lines
    )


def _dots(buckets: Sequence[Bucket], step: float, top: float) -> str:
    lone = (stretch[0] for stretch in _stretches(buckets) if len(stretch) == 1)
    # No length of their own: round caps make them dots.
    return "".join(f"M{_point(buckets, i, step, top)}h.01" for i in lone)


def _point(buckets: Sequence[Bucket], i: int, step: float, top: float) -> str:
    return f"{(i + 0.5) * step:.1f} {_y(buckets[i]['latency_ms']['p50'], top):.1f}"


def _band(buckets: Sequence[Bucket], step: float, top: float) -> str:
    parts = []
    for stretch in _stretches(buckets):
        edges = [
            (i, buckets[i]["latency_ms"]["p50"], buckets[i]["latency_ms"]["p95"]) for i in stretch
        ]
        upper = [f"{(i + 0.5) * step:.1f} {_y(p95 or p50, top):.1f}" for i, p50, p95 in edges]
        lower = [f"{(i + 0.5) * step:.1f} {_y(p50, top):.1f}" for i, p50, _ in reversed(edges)]
        parts.append("M" + "L".join(upper + lower) + "z")
    return "".join(parts)


def _failure_height(bucket: Bucket) -> int:
    """From a tick to the whole height, by the share of probes that failed."""
    share: float = bucket["failed"] / bucket["probes"]
    return max(12, round(HEIGHT * share))


def _times(buckets: Sequence[Bucket], form: str) -> tuple[str, ...]:
    if len(buckets) < 2:
        return ()
    last = len(buckets) - 1
    return tuple(
        _moment(buckets[round(last * i / (_LABELS - 1))]).strftime(form) for i in range(_LABELS)
    )


def _moment(bucket: Bucket) -> datetime:
    return datetime.fromisoformat(bucket["ts"])


def _slot(bucket: Bucket, x: float, width: float, form: str) -> Slot:
    latency = bucket["latency_ms"]
    label = _moment(bucket).strftime(form)
    return Slot(
        x=round(x, 2),
        width=round(width, 2),
        state=bucket["status"] or "none",
        words=_slot_words(bucket, label),
        ts=bucket["ts"],
        label=label,
        probes=bucket["probes"],
        failed=bucket["failed"],
        p50=milliseconds(latency["p50"]),
        p95=milliseconds(latency["p95"]),
        max=milliseconds(latency["max"]),
    )


def _slot_words(bucket: Bucket, label: str) -> str:
    if not bucket["probes"]:
        return f"{label}: not probed"
    said = [f"{label}: {bucket['status']}"]
    if bucket["latency_ms"]["p50"] is not None:
        p50, p95 = bucket["latency_ms"]["p50"], bucket["latency_ms"]["p95"]
        said.append(f"p50 {milliseconds(p50)}, p95 {milliseconds(p95)}")
    failed = bucket["failed"]
    said.append(f"{failed} of {plural(bucket['probes'], 'probe')} failed")
    return ", ".join(said)


def _words(buckets: Sequence[Bucket], range_name: str) -> str:
    """The chart in a sentence, for those who do not see it."""
    probes = sum(bucket["probes"] for bucket in buckets)
    if not probes:
        return f"No probes in the last {range_name}."
    failed = sum(bucket["failed"] for bucket in buckets)
    medians = [b["latency_ms"]["p50"] for b in buckets if b["latency_ms"]["p50"] is not None]
    said = f"{plural(probes, 'probe')} in the last {range_name}, {percent(failed / probes)} failed"
    if not medians:
        return f"{said}."
    low, high = milliseconds(min(medians)), milliseconds(max(medians))
    return f"{said}; medians from {low} to {high}."
