"""The API reference: an OpenAPI document in words."""

from __future__ import annotations

from core.reference import reference

DOC = {
    "paths": {
        "/api/things/{id}": {
            "get": {
                "tags": ["things"], "description": "One thing.", "security": [{"Bearer": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 9}},
                    {"name": "sort", "in": "query", "schema": {"enum": ["", "up", "down"], "default": "up"}},
                ],
                "responses": {200: {"description": "OK", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
            },
            "delete": {"summary": "Remove", "responses": {}},
        }
    },
    "components": {"schemas": {"Thing": {
        "required": ["a"],
        "properties": {
            "a": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "b": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
            "c": {"type": "string", "format": "date-time"},
            "d": {},
        },
    }}},
}  # fmt: skip


def test_operations_are_grouped_by_tag():
    groups = reference(DOC).groups

    assert [(tag, [operation.method for operation in found]) for tag, found in groups] == [
        ("Things", ["GET"]), ("Service", ["DELETE"]),
    ]  # fmt: skip
    get, delete = groups[0][1][0], groups[1][1][0]
    assert (get.anchor, get.is_open, delete.is_open) == ("get-api-things-id", False, True)
    assert get.responses == (("200", "OK", "Thing", "Thing"),)


def test_parameters_and_fields_are_said_in_words():
    found = reference(DOC)
    number, sort = found.groups[0][1][0].parameters
    rows = {row.name: row for row in found.schemas[0][2]}

    assert (number.is_required, number.where, number.note) == (True, "path", "at most 9 characters")
    assert (sort.type, sort.note) == ("up | down", "default up")
    assert (rows["a"].type, rows["a"].is_required, rows["a"].note) == (
        "integer or null",
        True,
        "≥ 1",
    )
    assert (rows["b"].type, rows["b"].link, rows["c"].type) == ("list of Thing", "Thing", "time")


def test_an_empty_document_is_an_empty_page():
    assert reference({}).groups == reference({}).schemas == ()
