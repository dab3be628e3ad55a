"""An OpenAPI document as rows for the reference page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")
_FORMS = {"date-time": "time", "uuid": "UUID", "binary": "file"}
_BOUNDS = (
    ("minimum", "≥ {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMinimum", "> {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("pattern", "like {}"),
)
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter or field: `link` is the name of the schema that its type speaks of, or empty."""

    name: str
    type: str
    link: str
    is_required: bool
    note: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    anchor: str
    text: str
    is_open: bool
    parameters: tuple[Row, ...]
    body: tuple[Row, ...]
    body_type: str
    body_link: str
    responses: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page: operations by tag in the order of the document, and the schemas by name."""

    groups: tuple[tuple[str, tuple[Operation, ...]], ...]
    schemas: tuple[tuple[str, str, tuple[Row, ...]], ...]


def reference(doc: Schema) -> Reference:
    """What `docs.html` shows of an OpenAPI document."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in doc.get("paths", {}).items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["Service"])[0]
                operation = _operation(method, path, methods[method])
                groups.setdefault(tag[:1].upper() + tag[1:], []).append(operation)
    schemas = doc.get("components", {}).get("schemas", {})
    return Reference(
        groups=tuple((tag, tuple(operations)) for tag, operations in groups.items()),
        schemas=tuple(
            (name, schema.get("description", ""), tuple(_fields(schema)))
            for name, schema in sorted(schemas.items())
        ),
    )


def _operation(method: str, path: str, spec: Schema) -> Operation:
    body = _content_schema(spec.get("requestBody", {}))
    body_type, body_link = _type(body) if body else ("", "")
    return Operation(
        method=method.upper(),
        path=path,
        anchor=re.sub(r"[^a-z0-9]+", "-", f"{method} {path}".lower()).strip("-"),
        text=spec.get("description") or spec.get("summary", ""),
        is_open=not spec.get("security"),
        parameters=tuple(_parameter(one) for one in spec.get("parameters", [])),
        body=tuple(_fields(body)) if body else (),
        body_type=body_type,
        body_link=body_link,
        responses=tuple(
            (str(status), answer.get("description", ""), *_type(_content_schema(answer)))
            for status, answer in spec.get("responses", {}).items()
        ),
    )


def _content_schema(part: Schema) -> Schema:
    for media in part.get("content", {}).values():
        return media.get("schema") or {}
    return {}


def _parameter(spec: Schema) -> Row:
    schema = spec.get("schema", {})
    return Row(
        spec["name"],
        *_type(schema),
        is_required=bool(spec.get("required")),
        note=_note(schema, spec.get("description", "")),
        where=spec.get("in", ""),
    )


def _fields(schema: Schema) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield Row(name, *_type(field), is_required=name in required, note=_note(field))


def _type(schema: Schema) -> tuple[str, str]:
    """The type in words, and the schema that it refers to."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return name, name
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"] if value != ""), ""
    if "const" in schema:
        return str(schema["const"]), ""
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _either([_type(one) for one in schema[choice]])
    kind = schema.get("type", "")
    if kind == "array":
        of, link = _type(schema.get("items", {}))
        return f"list of {of or 'anything'}", link
    if kind == "string":
        return _FORMS.get(schema.get("format", ""), "string"), ""
    return str(kind), ""


def _either(types: list[tuple[str, str]]) -> tuple[str, str]:
    words = dict.fromkeys(name for name, _ in types if name)
    return " or ".join(words), next((link for _, link in types if link), "")


def _note(schema: Schema, description: str = "") -> str:
    said = [description or schema.get("description", "")]
    for part in (schema, *schema.get("anyOf", ())):
        said += [form.format(part[key]) for key, form in _BOUNDS if key in part]
    if schema.get("default") not in (None, "", [], {}):
        said.append(f"default {schema['default']}")
    return "; ".join(word for word in said if word)
