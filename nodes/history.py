"""A node's past: uptime, the buckets behind the charts, and forgetting in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from nodes.buckets import (
    DAYS_OF_WINDOW,
    HOUR,
    Bucket,
    Mark,
    add_probe,
    bucket_start,
    empty_bucket,
    known_and_up,
    merge,
    percentile,
    share_up,
    status_of,
)
from nodes.buckets import RECENT as RECENT
from nodes.models import Node, NodeBucket, NodeProbe, NodeState

#: How long each resolution is kept.
KEPT = {
    "5m": timedelta(days=30),
    "1h": timedelta(days=400),
    "1d": timedelta(days=5 * 366),
}
RAW_KEPT = timedelta(hours=24)
_NODES_A_BATCH = 50
_HOUR_S = 3_600
#: Per range: seconds of a bucket, number of buckets, stored resolution (None: from single probes).
_RANGES: dict[str, tuple[int, int, str | None]] = {
    "1h": (60, 60, None),
    "24h": (300, 288, "5m"),
    "7d": (_HOUR_S, 168, "1h"),
    "30d": (86_400, 30, "1d"),
}
RANGES = tuple(_RANGES)


def uptime(state: NodeState, now: datetime) -> dict[str, float | None]:
    """Share of answered probes over 24 h, 7 d and 30 d: whole hours that are over, and the hour that is not.

    Probes that failed through our fault do not count. None: nothing is known of that time.
    """
    sums = state.uptime or {}
    open_hour = (state.open_buckets or {}).get(HOUR)
    shares: dict[str, float | None] = {}
    for window, days in DAYS_OF_WINDOW.items():
        edge = now.timestamp() - days * 86_400
        known, up = known_and_up(
            [open_hour] if open_hour and open_hour["ts"] > edge - _HOUR_S else []
        )
        if window in sums and sums.get("through", 0) > edge:
            known, up = known + sums[window][0], up + sums[window][1]
        shares[window] = share_up(known, up)
    return shares


def closed_hours(node_ids: Iterable[str], through: int) -> dict[str, dict[str, Any]]:
    """What `NodeState.uptime` holds once the hours before `through` (unix seconds) are closed, in one query.

    `{"through": 1761987600, "24h": [known, up], …}` per node; windows end at `through`.
    """
    ids = list(node_ids)
    end = datetime.fromtimestamp(through, UTC)
    sums: dict[str, Any] = {}
    known, failed = F("probes") - F("unknown"), F("failed")
    for window, days in DAYS_OF_WINDOW.items():
        inside = Q(ts__gte=end - timedelta(days=days))
        sums[f"known_{window}"] = Sum(known, filter=inside, default=0)
        sums[f"failed_{window}"] = Sum(failed, filter=inside, default=0)
    rows = (
        NodeBucket.objects.filter(
            node_id__in=ids, resolution=HOUR, ts__gte=end - timedelta(days=30), ts__lt=end
        )
        .values("node_id")
        .annotate(**sums)
    )
    empty: dict[str, Any] = {"through": through, **{window: [0, 0] for window in DAYS_OF_WINDOW}}
    found = {row["node_id"]: _sums_of(row, through) for row in rows}
    return {node_id: found.get(node_id, empty) for node_id in ids}


def _sums_of(row: Mapping[str, Any], through: int) -> dict[str, Any]:
    result: dict[str, Any] = {"through": through}
    for window in DAYS_OF_WINDOW:
        known = row[f"known_{window}"]
        result[window] = [known, known - row[f"failed_{window}"]]
    return result


def history(node_id: str, range: str, now: datetime | None = None) -> list[dict[str, Any]]:
    """The buckets of a range (1h, 24h, 7d, 30d), oldest first and without holes, the newest still growing.

    `{"ts","probes","failed","latency_ms":{"p50","p95","max"},"status"}`; `status` is None where nothing was probed.
    Raises KeyError for another range.
    """
    width, count, resolution = _RANGES[range]
    end = bucket_start((now or timezone.now()).timestamp(), width) + width
    buckets = {ts: empty_bucket(ts) for ts in _starts(end, width, count)}
    for bucket in _stored(node_id, resolution, end - width * count):
        target = buckets.get(bucket_start(bucket["ts"], width))
        if target is not None:
            merge(target, bucket)
    return [_as_dict(bucket) for bucket in buckets.values()]


def _starts(end: int, width: int, count: int) -> Iterable[int]:
    return range(end - width * count, end, width)


def _stored(node_id: str, resolution: str | None, since: int) -> Iterable[Bucket]:
    """Everything known of a node from `since` on, closed or still open."""
    start = datetime.fromtimestamp(since, UTC)
    if resolution is None:
        probes = NodeProbe.objects.filter(node_id=node_id, ts__gte=start)
        for ts, mark, latency in probes.values_list("ts", "mark", "latency_ms").iterator():
            bucket = empty_bucket(int(ts.timestamp()))
            add_probe(bucket, mark, latency)
            yield bucket
        return
    rows = NodeBucket.objects.filter(node_id=node_id, resolution=resolution, ts__gte=start)
    for row in rows:
        yield Bucket(
            ts=int(row.ts.timestamp()),
            probes=row.probes,
            failed=row.failed,
            degraded=row.degraded,
            unknown=row.unknown,
            latency=row.latency,
        )
    state = NodeState.objects.filter(pk=node_id).only("open_buckets").first()
    if state is not None and resolution in state.open_buckets:
        yield state.open_buckets[resolution]


def _as_dict(bucket: Bucket) -> dict[str, Any]:
    latency = bucket["latency"]
    return {
        "ts": datetime.fromtimestamp(bucket["ts"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "probes": bucket["probes"],
        "failed": bucket["failed"],
        "latency_ms": {
            "p50": percentile(latency, 0.5),
            "p95": percentile(latency, 0.95),
            "max": latency["max"],
        },
        "status": status_of(bucket),
    }


def prune_history(now: datetime | None = None) -> int:
    """Forget probes and buckets that are past their time, a few nodes a transaction; returns the rows deleted.

    Everything goes along (node, time) indexes, so the cost does not grow with what is kept.
    """
    now = now or timezone.now()
    ids = list(Node.objects.values_list("node_id", flat=True))
    deleted = 0
    for first in range(0, len(ids), _NODES_A_BATCH):
        with transaction.atomic():
            for node_id in ids[first : first + _NODES_A_BATCH]:
                deleted += _prune_node(node_id, now)
    return deleted


def _prune_node(node_id: str, now: datetime) -> int:
    deleted, _ = NodeProbe.objects.filter(node_id=node_id, ts__lt=now - RAW_KEPT).delete()
    for resolution, kept in KEPT.items():
        old = NodeBucket.objects.filter(node_id=node_id, resolution=resolution, ts__lt=now - kept)
        deleted += old.delete()[0]
    return deleted


__all__ = ["RANGES", "RECENT", "Mark", "closed_hours", "history", "prune_history", "uptime"]
