"""What an operator or a program gives for a node: checked field by field, every fault with its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from pydantic import TypeAdapter, ValidationError

from core.outbound.guard import get_guard
from core.outbound.purpose import Purpose
from core.outbound.urls import UrlRefused
from core.problems import Problem
from nodes.circles import circles
from nodes.policy import NodeId, NodeSpec
from nodes.registry import FIELDS, SELF, URL_FIELDS

MAINTENANCE = "maintenance_until"
MAX_MAINTENANCE = timedelta(days=365)
_NODE_ID = TypeAdapter(NodeId)
#: So many faults are told, and so many values may a field have: more would take long to find fault with.
MAX_FAULTS = 200
_MAX_VALUES = 5000
#: So many nodes of a circle are named.
_SHOWN = 12

Fault = dict[str, str]


@dataclass
class Given:
    """Checked input. In `fields` None means: inherit again. `maintenance` counts only if `has_maintenance`."""

    fields: dict[str, Any] = field(default_factory=dict)
    maintenance: datetime | None = None
    has_maintenance: bool = False
    faults: list[Fault] = field(default_factory=list)


def read(data: Mapping[str, Any], *, prefix: str = "") -> Given:
    """Check the fields of a node; `prefix` is put before every path."""
    given = Given()
    values = dict(data)
    if MAINTENANCE in values:
        given.has_maintenance = True
        _read_maintenance(values.pop(MAINTENANCE), given)
    for name in sorted(values.keys() - set(FIELDS), key=str):
        given.faults.append(_fault(str(name)[:80], "there is no such field"))
        del values[name]
    _drop_endless(values, given)
    _read_fields(values, given)
    _check_tags(given)
    _check_urls(given)
    given.faults = [
        {"path": prefix + fault["path"], "message": fault["message"]} for fault in given.faults
    ]
    return given


def is_node_id(text: str) -> bool:
    """Whether a node could have this id."""
    try:
        _NODE_ID.validate_python(text, strict=True)
    except ValidationError:
        return False
    return True


def read_node_id(value: Any, path: str = "node_id") -> list[Fault]:
    """What is wrong with an id for a new node."""
    if isinstance(value, str) and is_node_id(value):
        return []
    return [_fault(path, "give 1 to 64 letters, digits, '_', '-' or '.'")]


def refuse(faults: Iterable[Fault]) -> None:
    """Raise Problem 422 with every fault, if there is one."""
    errors = list(faults)
    if errors:
        places = ", ".join(error["path"] for error in errors[:3])
        raise Problem(422, "invalid_node", f"Not accepted: {places}.", errors=errors[:MAX_FAULTS])


def dependency_faults(
    depends: Mapping[str, Iterable[str]], changed: Iterable[str], path: str
) -> list[Fault]:
    """Dependencies of the changed nodes on nodes that are not there, on themselves or in a circle.

    `path` is where a fault is, with `{node}` for the node's id.
    """
    faults: dict[str, str] = {}
    changed = list(changed)
    for node in changed:
        missing = next((other for other in depends.get(node, ()) if other not in depends), None)
        if missing is not None:
            faults[node] = f"{missing!r} is not in the registry"
    for circle in circles(depends, changed):
        way = circle if len(circle) <= _SHOWN else [*circle[: _SHOWN - 2], "…", circle[-1]]
        for node in set(circle).intersection(changed):
            faults.setdefault(node, f"goes in a circle: {' → '.join(way)}")
    return [_fault(path.format(node=node), faults[node]) for node in changed if node in faults]


def _drop_endless(values: dict[str, Any], given: Given) -> None:
    for name in [name for name, value in values.items() if _is_endless(value)]:
        given.faults.append(_fault(name, f"expected at most {_MAX_VALUES} values"))
        del values[name]


def _is_endless(value: Any) -> bool:
    ahead, count = [value], 0
    while ahead and count <= _MAX_VALUES:
        item = ahead.pop()
        if isinstance(item, list | dict):
            count += len(item)
            if count <= _MAX_VALUES:
                ahead += item.values() if isinstance(item, dict) else item
    return count > _MAX_VALUES


def _read_fields(values: dict[str, Any], given: Given) -> None:
    """Types and forms, as the registry file has them: `30s` for thirty seconds."""
    given.fields = {name: None for name, value in values.items() if value is None}
    values = {name: value for name, value in values.items() if value is not None}
    for _attempt in range(2):  # what is well formed is checked further even if the rest is not
        try:
            spec = NodeSpec.model_validate_json(orjson.dumps(values), strict=True)
        except ValidationError as exc:
            bad = _pydantic_faults(exc)
            given.faults += bad
            values = {name: v for name, v in values.items() if name not in _roots(bad)}
        except (TypeError, ValueError):
            given.faults.append(_fault("", "holds what JSON cannot carry"))
            return
        else:
            given.fields |= spec.model_dump(mode="json", exclude_unset=True)
            return


def _pydantic_faults(error: ValidationError) -> list[Fault]:
    faults: dict[str, Fault] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        faults.setdefault(path, _fault(path, message))
    return list(faults.values())


def _roots(faults: list[Fault]) -> set[str]:
    return {fault["path"].split(".")[0] for fault in faults}


def _check_tags(given: Given) -> None:
    """A comma separates tags where people write them, so that one with a comma would come back as two."""
    for index, tag in enumerate(given.fields.get("tags") or ()):
        if "," in tag:
            given.faults.append(_fault(f"tags.{index}", "expected a tag without a comma"))


def _check_urls(given: Given) -> None:
    """Their form was checked; whether the network policy lets anything go there was not."""
    for name in URL_FIELDS:
        value = given.fields.get(name)
        if value and value != SELF and (fault := _refused(value)):
            given.faults.append(_fault(name, fault))


def _refused(url: str) -> str:
    try:
        get_guard().check_url(url, Purpose.PROBE)
    except UrlRefused as exc:
        return str(exc)
    return ""


def _read_maintenance(value: Any, given: Given) -> None:
    if value is None:
        return
    try:
        moment = value if isinstance(value, datetime) else parse_datetime(str(value))
    except ValueError:
        moment = None
    now = timezone.now()
    if moment is None or timezone.is_naive(moment):
        given.faults.append(
            _fault(MAINTENANCE, "give a time with its zone, like 2026-02-25T10:00:00Z")
        )
    elif not now < moment <= now + MAX_MAINTENANCE:
        given.faults.append(_fault(MAINTENANCE, "must lie ahead, at most a year"))
    else:
        given.maintenance = moment


def _fault(path: str, message: str) -> Fault:
    return {"path": path, "message": message}
