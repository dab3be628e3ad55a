"""YAML as data: read event by event, so that nothing is built that was not allowed first.

Anchors, aliases, merge keys, tags, directives, second documents, keys that are given twice and keys that are not text
are errors. A plain word means what YAML 1.2 says in its core schema, and only in its usual spelling: `true`, `false`,
`null`, decimal integers in 64 bit and finite numbers. Everything else (`no`, `12:30:45`, `2026-02-25`, `0x1F`, `.nan`) is
the text that was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from core.policies.errors import Fault, PolicyError, shown

MAX_BYTES = 65_536
MAX_DEPTH = 32
#: A file has at most one key or value for so many bytes that it may have: a policy has one for 15, and 64 KiB of denser
#: text would take longer than 50 ms to build.
BYTES_PER_VALUE = 6
ValuePath = tuple[str | int, ...]
#: libyaml where PyYAML was built with it: 64 KiB take 15 ms instead of 600.
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})", re.ASCII)
_NUMBER = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII
)
#: Escapes can write what neither JSON nor PostgreSQL can hold.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Position(NamedTuple):
    """A place in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Tree:
    """The value of a YAML document, and where each part of it stands.

    `values` and `keys` are looked up by path, such as `("nodes", "NODA1", "tags", 0)`; the root is `()`.
    """

    value: Any
    values: dict[ValuePath, Position]
    keys: dict[ValuePath, Position]


@dataclass
class _Frame:
    """A mapping or sequence that is being read."""

    container: dict[str, Any] | list[Any]
    path: ValuePath
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def read_yaml(
    data: bytes, name: str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> Tree:
    """Read one document; `name` is what errors call the file. Raises PolicyError."""
    if len(data) > max_bytes:
        raise PolicyError(name, [Fault(1, 1, f"expected at most {max_bytes} bytes")])
    reader = _Reader(name, max_depth, max_bytes // BYTES_PER_VALUE)
    for event in _events(_decode(data, name), name):
        reader.take(event)
    return Tree(reader.root, reader.values, reader.keys)


class _Reader:
    """Builds plain values from events; as deep as the file, but never recursive."""

    def __init__(self, name: str, max_depth: int, max_values: int) -> None:
        self.name = name
        self.max_depth = max_depth
        self.max_values = max_values
        self.root: Any = None
        self.values: dict[ValuePath, Position] = {(): Position(1, 1)}
        self.keys: dict[ValuePath, Position] = {}
        self.documents = 0
        self.open: list[_Frame] = []

    def take(self, event: Event) -> None:
        """One step further."""
        if isinstance(event, DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, CollectionEndEvent):
            self.open.pop()
        elif isinstance(event, NodeEvent):
            self._refuse_magic(event)
            if self._is_key():
                self._take_key(event)
            elif isinstance(event, CollectionStartEvent):
                self._open_container(event)
            else:
                self._put(_resolve(event), event)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self._error(event, "expected one document, a second one starts here")
        if event.tags:
            raise self._error(event, "%TAG directives are not allowed")

    def _refuse_magic(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent):
            raise self._error(event, "aliases (*name) are not allowed: write the value out")
        if event.anchor is not None:
            raise self._error(event, "anchors (&name) are not allowed")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "tags (!name) are not allowed")
        if isinstance(event, ScalarEvent) and _UNSTORABLE.search(event.value):
            raise self._error(event, "expected text without NUL and lone surrogates")

    def _is_key(self) -> bool:
        frame = self.open[-1] if self.open else None
        return frame is not None and frame.key is None and isinstance(frame.container, dict)

    def _take_key(self, event: NodeEvent) -> None:
        if not isinstance(event, ScalarEvent):
            raise self._error(event, "expected text as the key")
        key = _resolve(event)
        if not isinstance(key, str):
            raise self._error(event, f"expected text as the key: write {shown(event.value)}")
        if key == "<<" and event.implicit[0]:
            raise self._error(event, "merge keys (<<) are not allowed: write the keys out")
        frame, position = self.open[-1], _position(event)
        line = position.line
        if key in frame.lines:
            first = frame.lines[key]
            raise self._error(
                event, f"the key {shown(key)} is given twice: in line {first} and in line {line}"
            )
        frame.lines[key] = line
        frame.key = key
        self.keys[(*frame.path, key)] = position

    def _open_container(self, event: CollectionStartEvent) -> None:
        if len(self.open) >= self.max_depth:
            raise self._error(event, f"expected at most {self.max_depth} levels")
        container: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        self.open.append(_Frame(container, self._put(container, event)))

    def _put(self, value: Any, event: NodeEvent) -> ValuePath:
        """Place a value where it belongs; returns its path."""
        path: ValuePath = ()
        if not self.open:
            self.root = value
        else:
            frame = self.open[-1]
            if isinstance(frame.container, list):
                path = (*frame.path, len(frame.container))
                frame.container.append(value)
            else:
                assert frame.key is not None
                path = (*frame.path, frame.key)
                frame.container[frame.key] = value
                frame.key = None
        if len(self.values) + len(self.keys) > self.max_values:
            raise self._error(event, f"expected at most {self.max_values} keys and values")
        self.values[path] = _position(event)
        return path

    def _error(self, event: Event, message: str) -> PolicyError:
        return PolicyError(self.name, [Fault(*_position(event), message)])


def _position(event: Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _resolve(event: NodeEvent) -> str | int | float | bool | None:
    """What a scalar means. Quoted and block text is always text."""
    assert isinstance(event, ScalarEvent)
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if _NUMBER.fullmatch(text) and not text[1:].isdigit() and math.isfinite(float(text)):
        return float(text)
    return text


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start]
        column = exc.start - (before.rfind(b"\n") + 1) + 1
        raise PolicyError(
            name, [Fault(before.count(b"\n") + 1, column, "expected UTF-8")]
        ) from None


def _events(text: str, name: str) -> Iterator[Event]:
    try:
        yield from yaml.parse(text, Loader=_PARSER)
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        column = exc.position - (text.rfind("\n", 0, exc.position) + 1) + 1
        raise PolicyError(name, [Fault(line, column, "expected printable characters")]) from None
    except yaml.MarkedYAMLError as exc:
        is_open = "unexpected end" in (exc.problem or "")  # what was begun there never ended
        mark = (is_open and exc.context_mark) or exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = " ".join(filter(None, (exc.context, exc.problem))) or "expected YAML"
        if _character_at(text, line, column) == "\t":
            words = "expected spaces, not a tab"
        raise PolicyError(name, [Fault(line, column, words)]) from None


def _character_at(text: str, line: int, column: int) -> str:
    """The character at a place counted from 1, or nothing."""
    lines = text.split("\n")
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""
