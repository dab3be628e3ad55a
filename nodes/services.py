"""Writing the registry: the YAML file into rows, and the edits of operators. Each is one transaction with its history,
its audit record and its events, or did not happen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.access.principals import Principal
from core.audit.services import record
from core.problems import Problem
from nodes import edits, file_defaults, prober, validation
from nodes.edits import Edit
from nodes.models import Node, NodeQuerySet, NodeState
from nodes.policy import NodeSpec, load_registry
from nodes.queries import no_such_node
from nodes.registry import URL_FIELDS, effective
from nodes.validation import Fault, Given

MAX_IMPORT = 5000


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How many nodes of the file were created (or came back), changed, retired, and left as they were."""

    created: int
    changed: int
    retired: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The ids that an import created, changed and found to be right already."""

    created: list[str]
    changed: list[str]
    unchanged: list[str]
    dry_run: bool


def sync_registry(actor: Principal) -> SyncResult:
    """Bring the rows in line with `nodes_registry.yml`. Idempotent, and safe for several processes at once.

    A node that is no longer in the file is retired, unless an operator gave it an address of its own: then it stays as the
    operators' node. One that is in the file again comes back with its overrides and its history. Raises PolicyError.
    """
    loaded = load_registry()
    file_defaults.take(loaded)
    declared = {id: _declared(spec) for id, spec in loaded.value.nodes.items()}
    plan = _plan(declared, Node.objects.all())
    if plan:
        try:
            plan = _take_over(declared, actor)
        except IntegrityError:  # somebody put a node in first: its row says now what is left to do
            plan = _take_over(declared, actor)
    created = sum(edit.action in ("created", "restored") for edit in plan)
    retired = sum(edit.action == "retired" for edit in plan)
    changed = sum(edit.action == "changed" and edit.node.node_id in declared for edit in plan)
    return SyncResult(created, changed, retired, len(declared) - created - changed)


@transaction.atomic
def _take_over(declared: Mapping[str, dict[str, Any]], actor: Principal) -> list[Edit]:
    """Plan on locked rows, so that neither an operator's edit nor another process gets in between, and write."""
    plan = _plan(declared, _for_edit())
    if plan:
        edits.write(plan, actor, audit="registry.sync", target="nodes_registry.yml")
    return plan


def _declared(spec: NodeSpec) -> dict[str, Any]:
    given = spec.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in given.items() if value is not None}


def _plan(declared: Mapping[str, dict[str, Any]], nodes: Iterable[Node]) -> list[Edit]:
    """The edits that make the rows say what the file says."""
    rows = {node.node_id: node for node in nodes}
    plan = [
        edit
        for node_id, fields in declared.items()
        if (edit := _declare(rows.get(node_id), node_id, fields)) is not None
    ]
    gone = (node for id, node in rows.items() if id not in declared and node.declared is not None)
    return plan + [_undeclare(node) for node in gone]


def _declare(node: Node | None, node_id: str, fields: dict[str, Any]) -> Edit | None:
    if node is None:
        node = Node(node_id=node_id, declared=fields)
        return Edit(node, "created", edits.difference(edits.NOTHING, node))
    if node.retired_at is None and node.declared == fields:
        return None
    before = edits.settled(node)
    action: edits.Action = "restored" if node.retired_at else "changed"
    node.declared, node.retired_at = fields, None
    return Edit(node, action, edits.difference(before, node))


def _undeclare(node: Node) -> Edit:
    before = edits.settled(node)
    node.declared = None
    stands_alone = any(node.overrides.get(name) for name in URL_FIELDS)
    if not stands_alone:
        node.retired_at = timezone.now()
    action: edits.Action = "changed" if stands_alone else "retired"
    return Edit(node, action, edits.difference(before, node))


@transaction.atomic
def create_node(data: Mapping[str, Any], actor: Principal) -> Node:
    """Add a node: `node_id`, an address, and whatever else differs from the defaults. Problem 409 or 422."""
    values = dict(data)
    node_id = values.pop("node_id", None)
    given = validation.read(values)
    given.faults = validation.read_node_id(node_id) + given.faults
    validation.refuse(given.faults)
    edit = _put_new(str(node_id), given)
    validation.refuse(_faults_of(edit.node, given))
    try:
        with transaction.atomic():
            edits.write([edit], actor, audit="node.create", target=edit.node.node_id)
    except IntegrityError as exc:  # somebody else was faster
        raise _exists(edit.node.node_id) from exc
    return edit.node


def _put_new(node_id: str, given: Given) -> Edit:
    """The row of a new node; a retired one of the same id comes back as the operators' node."""
    node = _for_edit().filter(node_id=node_id).first()
    if node is not None and node.retired_at is None:
        raise _exists(node_id)
    before = edits.settled(node) if node else edits.NOTHING
    action: edits.Action = "restored" if node else "created"
    node = node or Node(node_id=node_id)
    node.retired_at = None
    node.overrides = {name: value for name, value in given.fields.items() if value is not None}
    node.maintenance_until = given.maintenance
    return Edit(node, action, edits.difference(before, node))


@transaction.atomic
def update_node(
    node_id: str,
    changes: Mapping[str, Any],
    actor: Principal,
    if_match: Collection[str] | None = None,
) -> Node:
    """Override fields of a node; None takes an override back, so that the file's value or the default counts again.

    `if_match` has the tags (`Node.tag`) of the revisions that the caller knows: another one in force is Problem 412.
    Changing nothing writes nothing.
    """
    node = _locked(node_id)
    _require_match(node, if_match)
    given = validation.read(changes)
    validation.refuse(given.faults)
    before = edits.settled(node)
    node.overrides = _overridden(node, given)
    if given.has_maintenance:
        node.maintenance_until = given.maintenance
    change = edits.difference(before, node)
    if change:
        validation.refuse(_faults_of(node, given))
        edits.write([Edit(node, "changed", change)], actor, audit="node.update", target=node_id)
    return node


def faults_of_edit(node_id: str | None, data: Mapping[str, Any]) -> list[Fault]:
    """What would be wrong with an edit of a node (None: with a new one, `node_id` in the data), without making it."""
    values = dict(data)
    if node_id is None:
        node_id = values.pop("node_id", None)
        faults = validation.read_node_id(node_id)
        if not faults and Node.objects.active().filter(node_id=node_id).exists():
            faults = [{"path": "node_id", "message": "there is a node of this name already"}]
        node = Node(node_id=str(node_id))
    else:
        node, faults = _get(node_id), []
    given = validation.read(values)
    faults += given.faults
    if faults:
        return faults
    node.overrides = _overridden(node, given)
    return _faults_of(node, given)


def _get(node_id: str) -> Node:
    node = Node.objects.active().filter(node_id=node_id).first()
    if node is None:
        raise no_such_node(node_id)
    return node


def _overridden(node: Node, given: Given) -> dict[str, Any]:
    values = {**node.overrides, **given.fields}
    return {name: value for name, value in values.items() if value is not None}


@transaction.atomic
def delete_node(node_id: str, actor: Principal, if_match: Collection[str] | None = None) -> None:
    """Delete a node and what is known of it. Problem 409 if the file declares it or another node depends on it."""
    node = _locked(node_id)
    _require_match(node, if_match)
    if node.declared is not None:
        detail = f"{node_id} is declared in nodes_registry.yml: remove it there, and it is retired."
        raise Problem(409, "node_declared", detail)
    needed_by = [id for id, needs in _dependencies().items() if node_id in needs and id != node_id]
    if needed_by:
        detail = f"{', '.join(needed_by[:5])} depends on {node_id}: change that first."
        raise Problem(409, "node_in_use", detail)
    edits.write_deletion(node, actor)


def pause(node_id: str, actor: Principal) -> Node:
    """Leave a node alone: it is not probed until it is resumed."""
    return _set_paused(node_id, True, actor)


def resume(node_id: str, actor: Principal) -> Node:
    """Probe a paused node again, beginning now."""
    return _set_paused(node_id, False, actor)


@transaction.atomic
def _set_paused(node_id: str, paused: bool, actor: Principal) -> Node:
    inherited = bool((_locked(node_id).declared or {}).get("paused"))
    return update_node(node_id, {"paused": None if inherited == paused else paused}, actor)


def probe_node(node_id: str, actor: Principal) -> None:
    """Probe a node now, whatever its schedule says, and note who asked for it and what was found. Problem 404."""
    _get(node_id)
    async_to_sync(prober.probe_now)(node_id)
    note_probe(node_id, actor)


def note_probe(node_id: str, actor: Principal) -> None:
    """The audit record of a probe that somebody asked for."""
    state = NodeState.objects.filter(pk=node_id).first()
    found = {"status": state.status, "error": state.error} if state else None
    record("node.probe", actor=actor, target=node_id, detail=found)


def set_maintenance(node_id: str, until: datetime | None, actor: Principal) -> Node:
    """Announce work on a node until a time ahead; None ends it."""
    return update_node(node_id, {validation.MAINTENANCE: until}, actor)


@transaction.atomic
def import_nodes(
    nodes: Sequence[Mapping[str, Any]], actor: Principal, *, dry_run: bool = False
) -> ImportResult:
    """Make the registry say of these nodes exactly what is given, all of them or none; others are left alone.

    A field that the file gives the same is not stored as an override; one that is not given is inherited.
    """
    if len(nodes) > MAX_IMPORT:
        raise Problem(422, "invalid_node", f"An import has at most {MAX_IMPORT} nodes.")
    rows = {node.node_id: node for node in _for_edit()}
    plan: list[Edit] = []
    faults: list[Fault] = []
    same: list[str] = []
    taken: set[str] = set()
    for index, data in enumerate(nodes):
        edit, bad = _import_one(dict(data), index, rows)
        if edit is not None and edit.node.node_id in taken:
            path = f"nodes.{edit.node.node_id}.node_id"
            bad = [{"path": path, "message": "is given twice"}]
        faults += bad
        if len(faults) >= validation.MAX_FAULTS:
            break
        if edit is None or bad:
            continue
        taken.add(edit.node.node_id)
        rows[edit.node.node_id] = edit.node
        if edit.change or edit.action != "changed":
            plan.append(edit)
        else:
            same.append(edit.node.node_id)
    if len(faults) < validation.MAX_FAULTS:
        faults += _import_faults([edit.node for edit in plan], rows)
    validation.refuse(faults)
    if plan and not dry_run:
        _write_import(plan, actor)
    created = [edit.node.node_id for edit in plan if edit.action != "changed"]
    changed = [edit.node.node_id for edit in plan if edit.action == "changed"]
    return ImportResult(created, changed, same, dry_run)


def _write_import(plan: Sequence[Edit], actor: Principal) -> None:
    try:
        with transaction.atomic():
            edits.write(plan, actor, audit="registry.import", target="registry")
    except IntegrityError as exc:
        detail = "Somebody else added one of these nodes meanwhile: import them again."
        raise Problem(409, "node_exists", detail) from exc


def _import_one(
    data: dict[str, Any], index: int, rows: Mapping[str, Node]
) -> tuple[Edit | None, list[Fault]]:
    node_id = data.pop("node_id", None)
    faults = validation.read_node_id(node_id, f"nodes.{index}.node_id")
    given = validation.read(data, prefix=f"nodes.{index if faults else node_id}.")
    if faults or given.faults:
        return None, faults + given.faults
    node = rows.get(str(node_id)) or Node(node_id=str(node_id))
    is_new = node._state.adding
    before = edits.NOTHING if is_new else edits.settled(node)
    declared = node.declared or {}
    node.overrides = {
        name: value
        for name, value in given.fields.items()
        if value is not None and (name in node.overrides or declared.get(name) != value)
    }
    if given.has_maintenance:
        node.maintenance_until = given.maintenance
    action: edits.Action = "created" if is_new else "restored" if node.retired_at else "changed"
    node.retired_at = None
    return Edit(node, action, edits.difference(before, node)), []


def _import_faults(nodes: Sequence[Node], rows: Mapping[str, Node]) -> list[Fault]:
    depends = {
        id: effective(node).depends_on for id, node in rows.items() if node.retired_at is None
    }
    changed = [node.node_id for node in nodes]
    faults = [
        {"path": f"nodes.{node.node_id}.monitor_url", "message": _NO_ADDRESS}
        for node in nodes
        if effective(node).probe_url is None
    ]
    return faults + validation.dependency_faults(depends, changed, "nodes.{node}.depends_on")


_NO_ADDRESS = "give a monitor_url, a gateway_url or a router_url"


def _faults_of(node: Node, given: Given) -> list[Fault]:
    """What only the whole node shows: that it has an address, and that it does not depend on itself."""
    faults = []
    if effective(node).probe_url is None:
        faults.append({"path": "monitor_url", "message": _NO_ADDRESS})
    if given.fields.get("depends_on"):
        depends = {**_dependencies(), node.node_id: effective(node).depends_on}
        faults += validation.dependency_faults(depends, [node.node_id], "depends_on")
    return faults


def _dependencies() -> dict[str, list[str]]:
    return {node.node_id: effective(node).depends_on for node in Node.objects.active()}


def _for_edit() -> NodeQuerySet:
    """Rows that are locked for an edit, in the order in which everybody takes several.

    A lock that keeps the key free: who writes down a probe holds the node's state and refers to its row, and edits lock
    the state after the row. With the stronger lock each of the two would wait for the other.
    """
    return Node.objects.select_for_update(no_key=True).order_by("pk")


def _locked(node_id: str) -> Node:
    node = _for_edit().active().filter(node_id=node_id).first()
    if node is None:
        raise no_such_node(node_id)
    return node


def _require_match(node: Node, known: Collection[str] | None) -> None:
    if known is not None and node.tag not in known:
        detail = f"{node.node_id} was changed meanwhile; load it again and repeat the edit."
        raise Problem(412, "precondition_failed", detail, headers={"ETag": f'"{node.tag}"'})


def _exists(node_id: str) -> Problem:
    return Problem(409, "node_exists", f"There is a node {node_id} already.")
