"""The registry as a document: the form of `nodes_registry.yml`, in YAML or JSON, out and in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from core import safe_json
from core.policies.loader import parse_document
from core.problems import Problem
from nodes.models import Node
from nodes.policy import MAX_FILE_BYTES
from nodes.registry import FIELDS

#: As much as the registry file may have; 5,000 nodes take it.
MAX_BYTES = MAX_FILE_BYTES
_DURATIONS = ("poll_interval", "timeout", "stale_after")
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))


class _PlainDumper(yaml.SafeDumper):
    """Writes every value out: the registry takes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def export_nodes() -> dict[str, Any]:
    """`{"nodes": {id: fields}}`: what the file and the operators say, without defaults and the environment."""
    return {"nodes": {node.node_id: _fields(node) for node in Node.objects.active()}}


def export_yaml() -> str:
    """The same as a file for `config/nodes_registry.yml`."""
    return yaml.dump(
        export_nodes(), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120
    )


def export_json() -> bytes:
    """The same as JSON."""
    return safe_json.dumps(export_nodes())


def read_document(data: bytes, name: str = "import") -> list[dict[str, Any]]:
    """The nodes of an exported document, YAML or JSON, as `import_nodes` takes them.

    Raises PolicyError for what is no YAML, with its place, and Problem 422 for what is no such document.
    """
    document = _parsed(data, name)
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if isinstance(nodes, dict):
        pairs = [(id, {} if fields is None else fields) for id, fields in nodes.items()]
        if all(isinstance(fields, dict) for _id, fields in pairs):
            return [{**fields, "node_id": id} for id, fields in pairs]
    if isinstance(nodes, list) and all(isinstance(fields, dict) for fields in nodes):
        return nodes
    message = "expected nodes: with a mapping of ids to fields, or a list of nodes with node_id"
    raise Problem(
        422, "invalid_node", "This is no registry.", errors=[{"path": "nodes", "message": message}]
    )


def _parsed(data: bytes, name: str) -> Any:
    """JSON is read as such: it takes a tenth of the time. What only begins like it may be YAML, which says what is wrong."""
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            return safe_json.loads(data, max_bytes=MAX_BYTES)
        except safe_json.UnsafeJson:
            pass
    return parse_document(data, Path(name), max_bytes=MAX_BYTES).value


def _fields(node: Node) -> dict[str, Any]:
    values = {**(node.declared or {}), **node.overrides}
    return {name: _external(name, values[name]) for name in FIELDS if values.get(name) is not None}


def _external(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        return written_duration(value)
    return written_require(value) if name == "require" else value


def written_require(require: Mapping[str, Any]) -> dict[str, Any]:
    """A stored `require` as a policy file has it."""
    ages = require.get("artifact_max_age")
    if not ages:
        return dict(require)
    written = {kind: written_duration(age) for kind, age in ages.items()}
    return {**require, "artifact_max_age": written}


def written_duration(seconds: float) -> str:
    """Seconds as a policy file has them: `30s`, `36h`, `1500ms`."""
    milliseconds = round(seconds * 1000)
    size, unit = next(
        (size, unit)
        for size, unit in _UNITS
        if size == 1 or (milliseconds and not milliseconds % size)
    )
    return f"{milliseconds // size}{unit}"
