"""Turns what pydantic complains of into faults with a place, in the words of somebody who edits the file."""

from __future__ import annotations

import types
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.policies.errors import Fault, shown
from core.policies.yaml_reader import Position, Tree, ValuePath

_EXPECTED = {
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "dict_type": "expected a mapping (key: value)",
    "model_type": "expected a mapping (key: value)",
    "model_attributes_type": "expected a mapping (key: value)",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "set_type": "expected a list",
    "frozen_set_type": "expected a list",
    "none_required": "expected nothing",
}
_FOUND = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


def faults_of(error: ValidationError, model: type[BaseModel], tree: Tree) -> list[Fault]:
    """One fault per place; where several forms were possible, they are joined by "or"."""
    places: dict[tuple[Position, str], list[str]] = {}
    for item in error.errors(include_url=False):
        path = _known_path(item["loc"], tree)
        position, label = _place(item, path, tree), _label(path)
        messages = places.setdefault((position, label), [])
        message = _message(item, model)
        if message not in messages:
            messages.append(message)
    return [
        Fault(*position, f"{label}: {joined}" if label else joined)
        for (position, label), messages in places.items()
        if (joined := _join(messages))
    ]


def _known_path(loc: tuple[str | int, ...], tree: Tree) -> ValuePath:
    """`loc` without pydantic's own marks (names of union members, "[key]"), as far as the file has it."""
    path: ValuePath = ()
    for part in loc:
        if (*path, part) in tree.values:
            path = (*path, part)
    return path


def _place(item: ErrorDetails, path: ValuePath, tree: Tree) -> Position:
    of_the_key = item["type"] == "extra_forbidden" or item["loc"][-1:] == ("[key]",)
    if of_the_key and path in tree.keys:
        return tree.keys[path]
    return tree.values[path]


def _label(path: ValuePath) -> str:
    label = ""
    for part in path:
        if isinstance(part, int):
            label += f"[{part}]"
        else:
            plain = part.replace("_", "").replace("-", "").isalnum() and len(part) <= 64
            label += ("." if label else "") + (part if plain else shown(part))
    return label


def _message(item: ErrorDetails, model: type[BaseModel]) -> str:
    kind, loc = item["type"], item["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(loc, model)
    if kind == "missing":
        return f"the key {shown(str(loc[-1]))} is missing"
    if kind in _EXPECTED:
        found = _FOUND.get(type(item["input"]), "something else")
        scalar = isinstance(item["input"], bool | int | float)
        hint = ", put it in quotes" if kind == "string_type" and scalar else ""
        return f"{_EXPECTED[kind]}, found {found}{hint}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.replace("Input should be", "expected").replace(
        "String should", "the text should"
    )


def _join(messages: list[str]) -> str:
    first, *others = messages
    return " or ".join([first, *(other.removeprefix("expected ") for other in others)])


def _unknown_key(loc: tuple[str | int, ...], model: type[BaseModel]) -> str:
    key = str(loc[-1])
    known = sorted({name for owner in _models_at(model, loc[:-1]) for name in _names(owner)})
    near = get_close_matches(key, known, n=1)
    if near:
        return f"unknown key, did you mean {shown(near[0])}?"
    return f"unknown key, expected one of: {', '.join(known)}" if known else "unknown key"


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name


def _models_at(annotation: Any, loc: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The models that `loc` may lead to, seen from a type."""
    members = _unwrapped(annotation)
    if not loc:
        return [item for item in members if isinstance(item, type) and issubclass(item, BaseModel)]
    head, rest = loc[0], loc[1:]
    found: list[type[BaseModel]] = []
    for member in members:
        for inside in _inside(member, head):
            found += _models_at(inside, rest)
    return found or (_models_at(annotation, rest) if isinstance(head, str) else [])


def _unwrapped(annotation: Any) -> list[Any]:
    """The members of a union, without `Annotated` around them."""
    if hasattr(annotation, "__metadata__"):
        return _unwrapped(annotation.__origin__)
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for member in get_args(annotation) for part in _unwrapped(member)]
    return [annotation]


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """The types of what a container of this type holds at `part`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [
            info.annotation
            for name, info in annotation.model_fields.items()
            if part in (name, info.alias)
        ]
    arguments = [item for item in get_args(annotation) if item is not Ellipsis]
    return arguments[-1:] if isinstance(part, str) else arguments[:1]
