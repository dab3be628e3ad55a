"""Policy files: YAML → checked data → a frozen, typed object, with the place of everything that is wrong.

loaded = load_policy(settings.CONFIG_DIR / "nodes_registry.yml", NodesRegistry)
loaded.value.nodes["NODA1"].label
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from core.policies.base import Header, Meta, Policy
from core.policies.errors import Fault, PolicyError
from core.policies.faults import faults_of
from core.policies.yaml_reader import MAX_BYTES, Tree, read_yaml

__all__ = [
    "Document",
    "Loaded",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "load_document",
    "load_policy",
    "parse_document",
    "parse_policy",
]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A file as plain data: dicts with text keys, lists, text, numbers, booleans and None."""

    path: Path
    digest: str
    """SHA-256 of the bytes, in hex."""
    tree: Tree

    @property
    def value(self) -> Any:
        """The data itself."""
        return self.tree.value


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A file as a typed policy."""

    value: M
    digest: str
    path: Path
    meta: Meta = field(default_factory=Meta)


def load_document(path: Path, *, max_bytes: int = MAX_BYTES) -> Document:
    """Read a YAML file as plain data. Raises PolicyError, also when it cannot be read at all."""
    return parse_document(_read(path, max_bytes), path, max_bytes=max_bytes)


def parse_document(data: bytes, path: Path, *, max_bytes: int = MAX_BYTES) -> Document:
    """The same from bytes; `path` is only what errors call it."""
    tree = read_yaml(data, path.name, max_bytes=max_bytes)
    return Document(path, hashlib.sha256(data).hexdigest(), tree)


def load_policy(path: Path, model: type[M], *, max_bytes: int = MAX_BYTES) -> Loaded[M]:
    """Read a YAML file as `model`. Raises PolicyError with every fault that the model finds."""
    return _typed(load_document(path, max_bytes=max_bytes), model)


def parse_policy(
    data: bytes, path: Path, model: type[M], *, max_bytes: int = MAX_BYTES
) -> Loaded[M]:
    """The same from bytes; `path` is only what errors call it."""
    return _typed(parse_document(data, path, max_bytes=max_bytes), model)


class PolicyFile(Generic[M]):
    """A policy file that stays good: whatever becomes of the file, `value` is the last revision that was valid.

    The first load raises PolicyError. After a failed `reload` the error is `fault`, until a reload works again.
    """

    def __init__(self, path: Path, model: type[M]) -> None:
        self.path = path
        self.model = model
        self.fault: PolicyError | None = None
        self.loaded: Loaded[M] = load_policy(path, model)

    @property
    def value(self) -> M:
        """The policy in force."""
        return self.loaded.value

    def reload(self) -> bool:
        """Look at the file again; true when another revision is in force now."""
        try:
            loaded = load_policy(self.path, self.model)
        except PolicyError as exc:
            self.fault = exc
            return False
        self.fault = None
        if loaded.digest == self.loaded.digest:
            return False
        self.loaded = loaded
        return True


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a FIFO would block for ever
            raise PolicyError(path.name, [Fault(1, 1, "expected a regular file")])
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        raise PolicyError(path.name, [Fault(1, 1, f"cannot be read: {why}")]) from exc


def _typed(document: Document, model: type[M]) -> Loaded[M]:
    name, tree = document.path.name, document.tree
    if not isinstance(tree.value, dict):
        raise PolicyError(name, [Fault(*tree.values[()], "expected a mapping (key: value)")])
    body, head = dict(tree.value), {}
    for key in Header.model_fields.keys() - model.model_fields.keys():
        if key in body:
            head[key] = body.pop(key)
    faults: list[Fault] = []
    header = _validate(head, Header, tree, faults)
    value = _validate(body, model, tree, faults)
    if header is None or value is None:
        raise PolicyError(name, sorted(faults, key=lambda item: (item.line, item.column)))
    return Loaded(value, document.digest, document.path, header.meta)


def _validate(data: dict[str, Any], model: type[M], tree: Tree, faults: list[Fault]) -> M | None:
    """Strict validation: "yes" is no boolean and "5" no number. None with `faults` filled when it fails.

    By way of JSON because pydantic's strict mode takes lists for tuples and words for enums only there.
    """
    try:
        return model.model_validate_json(orjson.dumps(data), strict=True)
    except ValidationError as exc:
        faults += faults_of(exc, model, tree)
        return None
