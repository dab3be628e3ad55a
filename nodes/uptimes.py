"""Uptime in words: no more history and no more decimals than there are probes."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import log10
from typing import NamedTuple

from core.formatting import duration, iso, percent
from nodes.buckets import DAYS_OF_WINDOW, HOUR, known_and_up
from nodes.models import NodeBucket, NodeState
from nodes.queries import NodeView


class Figure(NamedTuple):
    """The uptime of a window. `since` is the age and `since_at` the time of the first probe, where that is younger."""

    window: str
    share: str
    since: str
    since_at: str


def share_text(view: NodeView, window: str) -> str:
    """`99.98 %` with the decimals that the number of probes supports; a dash where nothing is known."""
    share = view.uptime.get(window)
    return "–" if share is None else percent(share, _digits(_known(view.state, window)))


def figures(view: NodeView) -> list[Figure]:
    """Every window. Of those that the history does not fill only the shortest is said: the others hold the same probes."""
    first = _first_probe(view)
    found: list[Figure] = []
    for window, days in DAYS_OF_WINDOW.items():
        is_young = first is not None and first > view.now - timedelta(days=days)
        if found and found[-1].since_at:
            found.append(Figure(window, "–", "", found[-1].since_at))
        elif is_young and first is not None:
            age = duration((view.now - first).total_seconds())
            found.append(Figure(window, share_text(view, window), age, iso(first)))
        else:
            found.append(Figure(window, share_text(view, window), "", ""))
    return found


def _known(state: NodeState, window: str) -> int:
    open_hour = (state.open_buckets or {}).get(HOUR)
    known, _up = known_and_up([open_hour] if open_hour else [])
    closed: int = (state.uptime or {}).get(window, (0, 0))[0]
    return known + closed


def _digits(probes: int) -> int:
    """One probe in 10,000 is 0.01 %: the last decimal that can be told from a spotless record."""
    return max(0, min(3, int(log10(probes)) - 2)) if probes else 0


def _first_probe(view: NodeView) -> datetime | None:
    """About when the node was first probed; None: not yet. Hours are what is kept longest."""
    if view.state.probed_at is None:
        return None
    hours = NodeBucket.objects.filter(node_id=view.node.node_id, resolution=HOUR)
    oldest = hours.order_by("ts").values_list("ts", flat=True).first()
    return max(oldest, view.row.created_at) if oldest else view.row.created_at
