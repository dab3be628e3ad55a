"""Which changes go into the next `nodes.status` event, and when: at once, but not once per flap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

#: At most one event at once per node in this time (or in its interval, if that is shorter).
HYSTERESIS_S = 5.0
#: Events at once of one process keep this distance, so that a fleet that goes down is told in few events.
EVENT_GAP_S = 0.5
#: An event carries at most so many states; what does not fit waits for the next.
MAX_CHANGED = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A node whose shown state changed. `is_urgent`: its status did."""

    node_id: str
    is_urgent: bool
    interval_s: float


class Announcer:
    """Changes that no event has told yet. One per poller; used by one thread at a time."""

    def __init__(self) -> None:
        self._pending: dict[str, Change] = {}
        self._told_at: dict[str, float] = {}
        self._last_event_at = float("-inf")

    def plan(self, changes: Iterable[Change], *, is_cycle: bool = False) -> list[str] | None:
        """The nodes for an event now (urgent ones first), or None: no event yet. Changes nothing, so it may be repeated."""
        pending = _joined(self._pending, changes)
        now = monotonic()
        if not is_cycle:
            pending = {node_id: c for node_id, c in pending.items() if self._may_tell(c, now)}
            if now - self._last_event_at < EVENT_GAP_S:
                return None
            if not any(change.is_urgent for change in pending.values()):
                return None
        ordered = sorted(pending.values(), key=lambda change: not change.is_urgent)
        return [change.node_id for change in ordered[:MAX_CHANGED]]

    def is_due(self) -> bool:
        """Whether changes that had to wait may be told now."""
        return bool(self._pending) and self.plan(()) is not None

    def confirm(self, changes: Iterable[Change], told: list[str] | None) -> None:
        """The changes are committed, and so is an event about `told`."""
        self._pending = _joined(self._pending, changes)
        if told is None:
            return
        now = monotonic()
        self._last_event_at = now
        for node_id in told:
            change = self._pending.pop(node_id, None)
            if change is not None and change.is_urgent:
                self._told_at[node_id] = now

    def _may_tell(self, change: Change, now: float) -> bool:
        told_at = self._told_at.get(change.node_id)
        return told_at is None or now - told_at >= min(HYSTERESIS_S, change.interval_s)


def _joined(pending: Mapping[str, Change], changes: Iterable[Change]) -> dict[str, Change]:
    """Both, the newer change of a node in place of the older one; urgent stays urgent until it is told."""
    joined = dict(pending)
    for change in changes:
        older = joined.get(change.node_id)
        is_urgent = change.is_urgent or (older is not None and older.is_urgent)
        joined[change.node_id] = Change(change.node_id, is_urgent, change.interval_s)
    return joined
