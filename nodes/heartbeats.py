"""The last probes of a node as bars: plain path data, so that a thousand tiles cost milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

BARS = 40
PITCH = 4
_KINDS = ("o", "d", "f")
HEIGHT = 20
_FLOOR = 3
#: Latencies from 1 ms to this many fill the scale. It is logarithmic and the same for every node: 12 ms looks calm
#: everywhere, and a jump from 12 to 400 is seen at once.
_CEILING_MS = 5_000


def _level(latency_ms: int) -> int:
    share = log(latency_ms) / log(_CEILING_MS) if latency_ms > 1 else 0.0
    return _FLOOR + round((HEIGHT - _FLOOR) * share)


#: Bar by place and height, height by whole milliseconds: looked up 40,000 times for a wall of 1,000 nodes.
_PATHS = [
    [f"M{index * PITCH + 2} {HEIGHT}v-{height}" for height in range(HEIGHT + 1)]
    for index in range(BARS)
]
_LEVELS = [_level(latency_ms) for latency_ms in range(_CEILING_MS + 1)]


class Beats(NamedTuple):
    """Path data by kind, newest at the right; `words` says the same to a screen reader."""

    ok: str
    degraded: str
    failed: str
    unknown: str
    words: str


def beats(recent: Sequence[Sequence[Any]]) -> Beats:
    """From `NodeState.recent`: rows of (unix seconds, latency in ms or None, mark), oldest first."""
    rows = recent[-BARS:]
    marks = [row[2] for row in rows]
    bars = [
        paths[_LEVELS[int(latency)] if latency and 0 < latency < _CEILING_MS else _missing(latency)]
        for paths, (_, latency, _mark) in zip(_PATHS[BARS - len(rows) :], rows, strict=True)
    ]
    if marks.count("o") == len(marks):
        return Beats("".join(bars), "", "", "", words=_words((len(marks), 0, 0, 0)))
    return _by_kind(marks, bars)


def _missing(latency: float | None) -> int:
    return HEIGHT if latency and latency > 0 else _FLOOR


def _by_kind(marks: Sequence[str], bars: Sequence[str]) -> Beats:
    pairs = list(zip(marks, bars, strict=True))
    counts = [marks.count(kind) for kind in _KINDS]
    ok, degraded = (
        "".join([bar for mark, bar in pairs if mark == kind]) if marks.count(kind) else ""
        for kind in _KINDS[:2]
    )
    tall = [_PATHS[i][HEIGHT] for i, mark in enumerate(marks, BARS - len(marks)) if mark == "f"]
    unknown = [bar for mark, bar in pairs if mark not in _KINDS]
    words = _words((*counts, len(unknown)))
    return Beats(ok, degraded, "".join(tall), "".join(unknown), words)


def _words(counts: Sequence[int]) -> str:
    """`Last 40 probes: 35 ok, 5 failed`."""
    total = sum(counts)
    if not total:
        return "Not probed yet"
    names = ("ok", "degraded", "failed", "unknown")
    said = [f"{count} {name}" for count, name in zip(counts, names, strict=True) if count]
    return f"Last {total} probes: {', '.join(said)}"
