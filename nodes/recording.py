"""Writing down what probes found: state, history, timeline and event in one transaction a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from django.db import connection, transaction
from django.db.models import Count, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from events import services as events
from nodes.announcer import Announcer, Change
from nodes.buckets import HOUR, RECENT, Bucket, Mark, accumulate, moment
from nodes.client import Outcome, ProbeResult
from nodes.history import closed_hours
from nodes.judge import Verdict, verdict
from nodes.models import Node, NodeBucket, NodeState, Status, Transition
from nodes.queries import state_dict
from nodes.schedule import Claim
from nodes.telemetry import Telemetry

#: Latencies that differ by less are the same to a reader of the wall.
_VISIBLE_MS, _VISIBLE_SHARE = 50.0, 1.0
#: Telemetry that moves with every probe; alone it is no change worth an event.
_RESTLESS = ("ts", "heartbeat_age_s", "clock_skew_s")

#: The columns that a result changes, as text in JSON where they are JSON. The fence is checked once more.
_COLUMNS = (
    "status", "reasons", "since", "probed_at", "last_seen_at", "source", "latency_ms", "error", "failures", "successes",
    "telemetry", "recent", "open_buckets", "updated_at",
)  # fmt: skip
_UPDATE = (
    f"UPDATE nodes_nodestate SET {', '.join(f'{name} = %s' for name in _COLUMNS)},"  # noqa: S608  our own names
    " raw = COALESCE(%s, raw), claimed_by = '', claimed_until = NULL WHERE node_id = %s AND fence = %s"
)
#: Read as text and decoded by orjson: with Django's decoder they were half of the time of a recording.
_DECODED = ("reasons", "telemetry", "recent", "open_buckets")
_UPDATE_UPTIME = "UPDATE nodes_nodestate SET uptime = %s WHERE node_id = %s"
_INSERT_PROBE = """
    INSERT INTO nodes_nodeprobe (node_id, ts, mark, latency_ms, error) VALUES (%s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A probe that ended, under the claim that allowed it. `started_at` is when it began."""

    claim: Claim
    result: ProbeResult
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Cycle:
    """Totals of probes: of a whole cycle, or of those since the last event where a change could not wait for its end."""

    probed: int
    failed: int
    duration_ms: int

    def as_dict(self) -> dict[str, int]:
        """The `cycle` of a `nodes.status` event."""
        return {"probed": self.probed, "failed": self.failed, "duration_ms": self.duration_ms}


@dataclass(frozen=True, slots=True)
class _Tally:
    """Probes that were written down, and from when to when; no time where there were none."""

    probed: int = 0
    failed: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None

    def joined(self, later: _Tally) -> _Tally:
        """Both, the later one written after this one."""
        begins = [moment for moment in (self.began_at, later.began_at) if moment is not None]
        return _Tally(
            self.probed + later.probed,
            self.failed + later.failed,
            min(begins, default=None),
            later.ended_at or self.ended_at,
        )

    def cycle(self) -> Cycle:
        """The numbers for an event."""
        if self.began_at is None or self.ended_at is None:
            return Cycle(self.probed, self.failed, 0)
        lasted_ms = (self.ended_at - self.began_at).total_seconds() * 1000
        return Cycle(self.probed, self.failed, max(0, int(lasted_ms)))


#: By announcer, what was written since its last event.
_untold: WeakKeyDictionary[Announcer, _Tally] = WeakKeyDictionary()


def record_results(batch: Sequence[Finished], announcer: Announcer) -> list[Verdict]:
    """Write a batch down, all of it or nothing; returns the verdicts on the results that counted.

    A result whose fence is no longer the node's, or that is written already, is dropped: calling this again after an error
    of the database does no harm.
    """
    with transaction.atomic():
        writer = _Writer()
        for finished, state in _rightful(batch):
            writer.take(finished, state)
        writer.write()
        told = announcer.plan(writer.changes)
        since = _untold.get(announcer, _Tally()).joined(writer.tally)
        if told is not None:
            _append_event(told, since.cycle())
    announcer.confirm(writer.changes, told)
    _untold[announcer] = _Tally() if told is not None else since
    return writer.verdicts


def announce(announcer: Announcer, cycle: Cycle | None = None) -> bool:
    """Append the `nodes.status` event of a cycle, or of changes that had to wait; True if there was one."""
    told = announcer.plan((), is_cycle=cycle is not None)
    if told is None:
        return False
    with transaction.atomic():
        _append_event(told, cycle or _untold.get(announcer, _Tally()).cycle())
    announcer.confirm((), told)
    _untold.pop(announcer, None)
    return True


def _rightful(batch: Sequence[Finished]) -> Iterable[tuple[Finished, NodeState]]:
    """The results that may still be written, with the locked states of their nodes; the newest of a node only."""
    latest = {finished.claim.node_id: finished for finished in batch}
    states = (
        NodeState.objects.filter(pk__in=latest)
        .order_by("pk")
        .select_for_update(of=("self",))
        .defer("raw", "uptime", *_DECODED)
        .annotate(**{f"{name}_text": Cast(name, TextField()) for name in _DECODED})
    )
    for state in states:
        for name in _DECODED:
            setattr(state, name, orjson.loads(getattr(state, f"{name}_text")))
        claim = latest[state.pk].claim
        if state.fence == claim.fence and state.claimed_by == claim.worker_id:
            yield latest[state.pk], state


class _Writer:
    """Collects the rows of one batch and writes them together."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.verdicts: list[Verdict] = []
        self.changes: list[Change] = []
        self._began_at: datetime | None = None
        self._states: list[NodeState] = []
        self._probes: list[tuple[Any, ...]] = []
        self._transitions: list[Transition] = []
        self._closed: list[tuple[str, str, Bucket]] = []

    @property
    def tally(self) -> _Tally:
        """The numbers of this batch."""
        failed = sum(verdict.mark is Mark.FAILED for verdict in self.verdicts)
        ended_at = self.now if self.verdicts else None
        return _Tally(len(self.verdicts), failed, self._began_at, ended_at)

    def take(self, finished: Finished, state: NodeState) -> None:
        """Judge one result and apply it to its node's state, in memory."""
        result, claim = finished.result, finished.claim
        judged = verdict(state, result, claim.limits, self.now)
        before = state.status, state.reasons, state.telemetry, state.source, state.latency_ms
        self._apply(state, result, judged)
        self._count(state, finished, judged)
        after = state.status, state.reasons, state.telemetry, state.source, state.latency_ms
        is_urgent = before[0] != after[0]
        if is_urgent or _is_visible(before, after):
            state.updated_at = self.now
            self.changes.append(Change(claim.node_id, is_urgent, claim.interval_s))
        self.verdicts.append(judged)
        self._states.append(state)

    def _apply(self, state: NodeState, result: ProbeResult, judged: Verdict) -> None:
        """What is known now. A fault of ours replaces nothing but the verdict: the rest is what the node said last."""
        if judged.status != state.status:
            self._transitions.append(
                Transition(
                    node_id=state.pk,
                    ts=self.now,
                    before=state.status,
                    after=judged.status,
                    reasons=list(judged.reasons),
                )
            )
            state.since = self.now
        state.status, state.reasons = judged.status.value, list(judged.reasons)
        state.failures, state.successes = judged.failures, judged.successes
        state.error, state.probed_at = result.error, self.now
        if result.outcome is Outcome.OURS:
            return
        state.source, state.latency_ms, state.raw = result.source, result.latency_ms, result.raw
        if result.outcome in (Outcome.ANSWERED, Outcome.BAD):
            state.last_seen_at = self.now
            state.telemetry = result.telemetry.as_json()
        elif judged.status is Status.OFFLINE:
            state.telemetry = Telemetry().as_json()

    def _count(self, state: NodeState, finished: Finished, judged: Verdict) -> None:
        """History: the single probe, the last forty, the open buckets."""
        result, at = finished.result, finished.started_at
        seconds = at.timestamp()
        mark = judged.mark.value
        self._probes.append((state.pk, at, mark, result.latency_ms, result.error))
        state.recent = [*state.recent, [int(seconds), result.latency_ms, mark]][-RECENT:]
        for resolution, bucket in accumulate(state.open_buckets, seconds, mark, result.latency_ms):
            self._closed.append((state.pk, resolution, bucket))
        self._began_at = min(self._began_at or at, at)

    def write(self) -> None:
        """Everything but the event."""
        self._close_buckets()
        adapt = cache(
            connection.ops.adapt_datetimefield_value
        )  # most times of a batch are the same
        with connection.cursor() as cursor:
            if self._states:
                cursor.executemany(_UPDATE, [_row(state, adapt) for state in self._states])
                cursor.executemany(
                    _INSERT_PROBE, [(row[0], adapt(row[1]), *row[2:]) for row in self._probes]
                )
        Transition.objects.bulk_create(self._transitions)

    def _close_buckets(self) -> None:
        """Buckets whose time is over become rows; where an hour closed, the sums of the uptime follow."""
        if not self._closed:
            return
        NodeBucket.objects.bulk_create(
            [_bucket_row(*closed) for closed in self._closed],
            update_conflicts=True,
            unique_fields=["node", "resolution", "ts"],
            update_fields=["probes", "failed", "degraded", "unknown", "latency"],
        )
        by_id = {state.pk: state for state in self._states}
        hours: dict[int, list[str]] = {}
        for node_id, resolution, _bucket in self._closed:
            if resolution == HOUR:
                through = by_id[node_id].open_buckets[HOUR]["ts"]
                hours.setdefault(through, []).append(node_id)
        for through, node_ids in hours.items():
            sums = closed_hours(node_ids, through)
            with connection.cursor() as cursor:
                cursor.executemany(
                    _UPDATE_UPTIME, [(_json(sums[node_id]), node_id) for node_id in node_ids]
                )


def _row(state: NodeState, adapt: Any) -> tuple[Any, ...]:
    """The parameters of `_UPDATE`."""
    return (
        state.status,
        _json(state.reasons),
        adapt(state.since),
        adapt(state.probed_at),
        adapt(state.last_seen_at),
        state.source,
        state.latency_ms,
        state.error,
        state.failures,
        state.successes,
        _json(state.telemetry),
        _json(state.recent),
        _json(state.open_buckets),
        adapt(state.updated_at),
        state.__dict__.get(
            "raw"
        ),  # not read from the database: None where the probe brought no body
        state.pk,
        state.fence,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _bucket_row(node_id: str, resolution: str, bucket: Bucket) -> NodeBucket:
    return NodeBucket(
        node_id=node_id,
        resolution=resolution,
        ts=moment(bucket["ts"]),
        probes=bucket["probes"],
        failed=bucket["failed"],
        degraded=bucket["degraded"],
        unknown=bucket["unknown"],
        latency=bucket["latency"],
    )


def _is_visible(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether a reader of the wall would see the difference: not for a clock that ticks or a latency that breathes."""
    if before[1] != after[1] or before[3] != after[3] or _moved(before[4], after[4]):
        return True
    return _settled(before[2]) != _settled(after[2])


def _moved(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > max(_VISIBLE_MS, _VISIBLE_SHARE * before)


def _settled(telemetry: Mapping[str, Any]) -> dict[str, Any]:
    """Telemetry without what is never at rest."""
    rest = {key: value for key, value in telemetry.items() if key not in _RESTLESS}
    for part in ("router", "gateway"):
        rest[part] = (rest.get(part) or {}).get("ok")
    rest.pop("alerts_loop_slo", None)
    return rest


def _append_event(node_ids: list[str], cycle: Cycle) -> None:
    """The `nodes.status` event; the last thing in its transaction."""
    now = timezone.now()
    rows = Node.objects.active().filter(pk__in=node_ids).select_related("state")
    by_id = {row.pk: row for row in rows if hasattr(row, "state")}
    changed = [
        state_dict(by_id[node_id], by_id[node_id].state, now)
        for node_id in node_ids
        if node_id in by_id
    ]
    data = {"summary": summary(now), "changed": changed, "cycle": cycle.as_dict()}
    events.append("nodes.status", data)


def summary(now: datetime) -> dict[str, int]:
    """`Fleet.summary` without reading the fleet: one query, whatever its size."""
    free = ~Q(maintenance_until__gt=now)
    blank = Q(state__paused=True) | (free & (Q(state=None) | Q(state__probed_at=None)))
    counted = free & Q(state__paused=False, state__probed_at__isnull=False)
    words = {
        status.value: Count("pk", filter=counted & Q(state__status=status.value))
        for status in (Status.ONLINE, Status.DEGRADED, Status.OFFLINE)
    }
    return Node.objects.active().aggregate(
        total=Count("pk"),
        **words,
        unknown=Count("pk", filter=blank | (counted & Q(state__status=Status.UNKNOWN.value))),
        maintenance=Count("pk", filter=Q(maintenance_until__gt=now) & ~Q(state__paused=True)),
    )
