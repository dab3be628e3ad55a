"""Who probes which node when: a slot per node inside its interval, and claims that no two pollers share.

A claim is a lease in the database: owner, end, and a fence number that grows with every claim. What comes back under an older
fence is not written, so a poller that slept through its lease can do no harm.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from math import floor

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from core.policies.fields import parse_duration
from nodes.client import Part, ProbeTarget
from nodes.judge import Thresholds
from nodes.models import NodeState
from nodes.registry import EffectiveNode, effective

logger = logging.getLogger("sofiia.poller")

#: A lease outlives the probe by this much: the time to write a result down, with a busy database.
LEASE_MARGIN = timedelta(seconds=5)
#: So many nodes that are new, or missed a whole slot, are probed at once; more of them wait for their own slots.
CATCH_UP = 16
#: A slot that begins this soon is the one that is being served.
_SAME_SLOT_S = 0.001
#: How old a node's own heartbeat may be where the registry does not say: that is the node's rhythm, not ours.
_HEARTBEAT_S = 90.0
_AFTER_A_FAULT = timedelta(seconds=30)

_CLAIM = """
    UPDATE nodes_nodestate SET claimed_by = %s, fence = %s, claimed_until = %s, next_probe_at = %s
    WHERE node_id = %s AND fence = %s
"""
_WAIT = "UPDATE nodes_nodestate SET next_probe_at = %s, claimed_until = NULL WHERE node_id = %s"

#: This process: host and pid for people, and a random part, because both may come again.
WORKER_ID = f"{socket.gethostname()[:24]}-{os.getpid()}-{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to probe one node once, and everything that the probe needs."""

    node_id: str
    fence: int
    worker_id: str
    due_at: datetime
    interval_s: float
    target: ProbeTarget
    limits: Thresholds


def slot_offset(node_id: str, interval_s: float) -> float:
    """Seconds from the interval's beginning to the node's slot: the same in every process, spread evenly over nodes."""
    digest = blake2b(node_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * interval_s


def next_slot(node_id: str, interval_s: float, now: datetime) -> datetime:
    """The node's first slot after `now`; slots that were missed are skipped."""
    seconds = now.timestamp() + _SAME_SLOT_S
    offset = slot_offset(node_id, interval_s)
    number = floor((seconds - offset) / interval_s) + 1
    return datetime.fromtimestamp(number * interval_s + offset, now.tzinfo)


def _due(now: datetime) -> Q:
    """Whose slot has come, and whose prober died (its lease ran out and nothing was written)."""
    idle = Q(claimed_until=None, next_probe_at__lte=now)
    return idle | Q(claimed_until__lte=now)


def _claimable() -> QuerySet[NodeState]:
    return (
        NodeState.objects.filter(paused=False, node__retired_at=None)
        .select_related("node")
        .only(
            "fence",
            "next_probe_at",
            "probed_at",
            "node__declared",
            "node__overrides",
            "node__maintenance_until",
        )
    )


def claim_due(limit: int, worker_id: str, now: datetime) -> list[Claim]:
    """Claim up to `limit` due nodes, the longest due first.

    Rows are locked while they are read (SQLite: the transaction is the only writer), and claims that others hold are
    stepped over, so that concurrent callers never get the same node.
    """
    due = _claimable().filter(_due(now)).order_by("next_probe_at")
    if limit <= 0 or not due.exists():  # no write lock for nothing
        return []
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True, of=("self",))[:limit])
        claims, postponed = _divide(rows, worker_id, now)
        _write_claims(claims, now)
        _postpone(postponed)
    return claims


def claim_all(worker_id: str, now: datetime) -> list[Claim]:
    """Claim every node that nobody is probing, due or not: for one round over the whole fleet."""
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    with transaction.atomic():
        rows = _claimable().filter(free).select_for_update(skip_locked=True, of=("self",))
        claims = [claim for row in rows if (claim := _claim_for(row, worker_id, now))]
        _write_claims(claims, now)
    return claims


def claim_node(node_id: str, worker_id: str, now: datetime) -> Claim | None:
    """Claim one node whatever its schedule says, paused or not; None while somebody else is probing it."""
    state = NodeState.objects.select_related("node").filter(pk=node_id).first()
    claim = _claim_for(state, worker_id, now) if state else None
    if claim is None:
        return None
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    changed = NodeState.objects.filter(free, pk=node_id, fence=claim.fence - 1).update(
        fence=F("fence") + 1,
        claimed_by=worker_id,
        claimed_until=_lease_end(claim, now),
        next_probe_at=next_slot(node_id, claim.interval_s, now),
    )
    return claim if changed == 1 else None


def release(claims: Iterable[Claim]) -> None:
    """Give back claims whose probes did not happen; the nodes are due at once."""
    for claim in claims:
        NodeState.objects.filter(
            pk=claim.node_id, fence=claim.fence, claimed_by=claim.worker_id
        ).update(claimed_until=None, claimed_by="", next_probe_at=claim.due_at)


def _divide(
    rows: list[NodeState], worker_id: str, now: datetime
) -> tuple[list[Claim], list[tuple[datetime, str]]]:
    """Claims, and `(next_probe_at, node_id)` of nodes that wait: after a pause of ours they must not come all at once."""
    claims: list[Claim] = []
    postponed: list[tuple[datetime, str]] = []
    late = 0
    for row in rows:
        claim = _claim_for(row, worker_id, now)
        if claim is None:
            postponed.append((now + _AFTER_A_FAULT, row.pk))
            continue
        is_late = _is_late(row, claim, now)
        late += is_late
        if is_late and late > CATCH_UP:
            postponed.append((next_slot(row.pk, claim.interval_s, now), row.pk))
        else:
            claims.append(claim)
    return claims, postponed


def _is_late(row: NodeState, claim: Claim, now: datetime) -> bool:
    """Whether a node missed a whole slot, or is new and was never given one."""
    if row.next_probe_at < now - timedelta(seconds=claim.interval_s):
        return True
    before = row.next_probe_at - timedelta(seconds=10 * _SAME_SLOT_S)
    slot = next_slot(row.pk, claim.interval_s, before)
    return row.probed_at is None and abs(slot - row.next_probe_at) > 10 * timedelta(
        seconds=_SAME_SLOT_S
    )


def _claim_for(state: NodeState, worker_id: str, now: datetime) -> Claim | None:
    """The claim that `state` would become; None (and a log line) for a node whose settings cannot be read."""
    try:
        node = effective(state.node)
        return Claim(
            node_id=state.pk,
            fence=state.fence + 1,
            worker_id=worker_id,
            due_at=min(state.next_probe_at, now),
            interval_s=max(node.poll_interval, 0.1),
            target=target_of(node),
            limits=thresholds_of(node),
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        logger.exception("node cannot be probed", extra={"node_id": state.pk})
        return None


def _lease_end(claim: Claim, now: datetime) -> datetime:
    return now + timedelta(seconds=claim.target.timeout_s) + LEASE_MARGIN


def _write_claims(claims: list[Claim], now: datetime) -> None:
    """One UPDATE a node, sent together; each must still find the fence that was read."""
    if not claims:
        return
    adapt = connection.ops.adapt_datetimefield_value
    rows = [
        (
            claim.worker_id,
            claim.fence,
            adapt(_lease_end(claim, now)),
            adapt(next_slot(claim.node_id, claim.interval_s, now)),
            claim.node_id,
            claim.fence - 1,
        )
        for claim in claims
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_CLAIM, rows)
        if cursor.rowcount != len(rows):
            raise RuntimeError("a claimed row changed under its lock")


def _postpone(postponed: list[tuple[datetime, str]]) -> None:
    if not postponed:
        return
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            _WAIT,
            [(adapt(at), node_id) for at, node_id in postponed],
        )


def target_of(node: EffectiveNode) -> ProbeTarget:
    """Where to ask a node: its monitor, else its gateway, else its router."""
    part: Part = "monitor" if node.monitor_url else "gateway" if node.gateway_url else "router"
    return ProbeTarget(
        node_id=node.node_id,
        base_url=node.probe_url,
        base_part=part,
        router_url=node.router_url,
        gateway_url=node.gateway_url,
        timeout_s=node.timeout,
        is_self=node.is_self,
    )


def thresholds_of(node: EffectiveNode) -> Thresholds:
    """When this node counts as what."""
    require = node.require
    return Thresholds(
        offline_after=node.offline_after,
        online_after=node.online_after,
        stale_after_s=_stale_after_s(node),
        role=node.role,
        backends=require.get("backends") or {},
        artifact_max_age_s={
            name: parse_duration(age) if isinstance(age, str) else float(age)
            for name, age in (require.get("artifact_max_age") or {}).items()
        },
    )


def _stale_after_s(node: EffectiveNode) -> float:
    is_given = node.value("stale_after") is not None
    return node.stale_after if is_given else max(node.stale_after, _HEARTBEAT_S)
