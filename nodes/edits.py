"""Writing edits of the registry: rows, their history, the audit and the event, all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.access.principals import Principal
from core.audit.services import record
from events.services import NewEvent, append_many
from nodes.models import Node, NodeState, Revision
from nodes.registry import FIELDS, URL_FIELDS, effective
from nodes.schedule import slot_offset

Action = Literal["created", "changed", "retired", "restored"]
#: `{field: [before, after]}` as the file and the operators have it; the environment is no edit.
Change = dict[str, list[Any]]

_COLUMNS = ["declared", "overrides", "maintenance_until", "retired_at", "version", "updated_at"]
#: Every new node adds this much to the time over which first probes are spread, up to an interval.
_SPREAD_PER_NODE_S = 0.02


@dataclass(frozen=True, slots=True)
class Settled:
    """What a node's row says, to be compared after an edit."""

    declared: Mapping[str, Any]
    overrides: Mapping[str, Any]
    maintenance_until: datetime | None


@dataclass(frozen=True, slots=True)
class Edit:
    """A row that was changed but not saved, and what changed."""

    node: Node
    action: Action
    change: Change


def settled(node: Node) -> Settled:
    """Take down what the row says now."""
    return Settled(dict(node.declared or {}), dict(node.overrides or {}), node.maintenance_until)


NOTHING = Settled({}, {}, None)


def difference(before: Settled, node: Node) -> Change:
    """What an edit changed, field by field; empty if nothing."""
    after = settled(node)
    change = {
        name: [_value(before, name), _value(after, name)]
        for name in FIELDS
        if before.declared.get(name) != after.declared.get(name)
        or before.overrides.get(name) != after.overrides.get(name)
    }
    if before.maintenance_until != after.maintenance_until:
        change["maintenance_until"] = [
            moment and moment.isoformat()
            for moment in (before.maintenance_until, after.maintenance_until)
        ]
    return change


def _value(row: Settled, name: str) -> Any:
    return row.overrides.get(name, row.declared.get(name))


def write(
    edits: Sequence[Edit],
    actor: Principal,
    *,
    audit: str,
    target: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Save the edits with one revision and one `node.changed` event each, under one audit record."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("edits are written inside a transaction only")
    now = timezone.now()
    _save(edits, now)
    _schedule(edits, now)
    Revision.objects.bulk_create(
        Revision(
            node_id=edit.node.node_id,
            version=edit.node.version,
            ts=now,
            actor=actor.name[:96],
            change=edit.change,
        )
        for edit in edits
    )
    record(audit, actor=actor, target=target, detail=detail or _detail(edits))
    append_many([_event(edit.node, edit.action, edit.change, actor) for edit in edits])


def write_deletion(node: Node, actor: Principal) -> None:
    """Delete the row with all that is known of the node; the audit keeps what it was set to.

    The state is locked first: who is just writing a probe down refers to the row until that is done.
    """
    before = settled(node)
    _lock_states([node.node_id])
    gone = {
        name: [_value(before, name), None] for name in FIELDS if _value(before, name) is not None
    }
    if node.maintenance_until is not None:
        gone["maintenance_until"] = [node.maintenance_until.isoformat(), None]
    detail = {"version": node.version, "created_at": node.created_at.isoformat(), "change": gone}
    event = _event(node, "deleted", {}, actor)
    node.delete()
    record("node.delete", actor=actor, target=event.node_id or "", detail=detail)
    append_many([event])


def _detail(edits: Sequence[Edit]) -> dict[str, Any]:
    if len(edits) == 1:
        return {"version": edits[0].node.version, "change": edits[0].change}
    actions: dict[str, list[str]] = {}
    for edit in edits:
        actions.setdefault(edit.action, []).append(edit.node.node_id)
    return dict(actions)


def _event(node: Node, action: str, change: Change, actor: Principal) -> NewEvent:
    data = {
        "action": action,
        "node_id": node.node_id,
        "label": effective(node).label,
        "version": node.version,
        "change": change,
        "by": actor.name,
    }
    return NewEvent("node.changed", data, node_id=node.node_id)


def _save(edits: Sequence[Edit], now: datetime) -> None:
    # Sorted: of two writers of the same new nodes one waits for the other, never each for the other.
    new = sorted((e.node for e in edits if e.node._state.adding), key=lambda node: node.node_id)
    known = [edit.node for edit in edits if not edit.node._state.adding]
    for node in known:
        node.version += 1
    for node in (*new, *known):
        node.updated_at = now
    Node.objects.bulk_create(new)
    for node in known:  # bulk_update would write the JSON word null where a column is to be empty
        node.save(update_fields=_COLUMNS)


def _schedule(edits: Sequence[Edit], now: datetime) -> None:
    """Give every node its state, and let the poller see at once what the edit means for it.

    A changed address makes the probe under way one of another node: the fence moves on, so that its result is not
    written, and the next one is due now.
    """
    nodes = {edit.node.node_id: edit.node for edit in edits}
    paused = {id for id, node in nodes.items() if node.retired_at or effective(node).paused}
    _create_states(nodes.values(), paused, now)
    _lock_states(nodes)
    states = NodeState.objects.filter(node_id__in=nodes)
    states.filter(node_id__in=paused).exclude(paused=True).update(paused=True)
    resumed = set(
        states.filter(paused=True).exclude(node_id__in=paused).values_list("node_id", flat=True)
    )
    states.filter(node_id__in=resumed).update(paused=False)
    moved = {
        edit.node.node_id
        for edit in edits
        if edit.action != "created" and edit.change.keys() & {*URL_FIELDS, "auth_ref"}
    }
    states.filter(node_id__in=moved | resumed).update(
        next_probe_at=now, claimed_until=None, claimed_by="", fence=F("fence") + 1
    )


def _lock_states(node_ids: Iterable[str]) -> None:
    """In the order in which the poller locks the states of a batch."""
    states = NodeState.objects.filter(node_id__in=list(node_ids)).order_by("pk")
    list(states.select_for_update().values_list("pk"))


def _create_states(nodes: Iterable[Node], paused: set[str], now: datetime) -> None:
    """The missing states. First probes are spread by a hash of the id: at once for a few nodes, over an interval for many."""
    by_id = {node.node_id: node for node in nodes}
    known = set(NodeState.objects.filter(node_id__in=by_id).values_list("node_id", flat=True))
    missing = [node for id, node in by_id.items() if id not in known]
    NodeState.objects.bulk_create(
        NodeState(
            node_id=node.node_id,
            paused=node.node_id in paused,
            since=now,
            next_probe_at=now + timedelta(seconds=_offset_s(node, len(missing))),
        )
        for node in missing
    )


def _offset_s(node: Node, among: int) -> float:
    spread = min(effective(node).poll_interval, among * _SPREAD_PER_NODE_S)
    return slot_offset(node.node_id, spread)
