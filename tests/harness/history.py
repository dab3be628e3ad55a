"""Judging a history: what was written, against what a reader saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise


def faults(acknowledged: Iterable[int], read: Sequence[int]) -> list[str]:
    """Sentences for every id that was lost, doubled or out of order; ids that nobody acknowledged may be read."""
    found = []
    lost = sorted(set(acknowledged) - set(read))
    if lost:
        found.append(f"lost: {lost[:10]}")
    doubled = (
        sorted({id for id in read if read.count(id) > 1}) if len(set(read)) < len(read) else []
    )
    if doubled:
        found.append(f"doubled: {doubled[:10]}")
    turned = [(a, b) for a, b in pairwise(read) if b < a]
    if turned:
        found.append(f"out of order: {turned[:10]}")
    return found
