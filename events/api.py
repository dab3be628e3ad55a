"""Events as JSON: reading pages of the log, and appending to it."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

import orjson
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import AfterValidator, field_validator

from core.access.auth import needs
from core.access.principals import Principal, Right
from core.problems import Problem
from events import queries, services
from events.admission import types_of
from events.filters import NODE, TYPE, hidden_from
from events.frames import readable, stamp
from events.models import Event
from events.services import NewEvent

router = Router(tags=["events"])

MAX_DATA = 64 * 1024
MAX_AT_ONCE = 500


def _is_plain(text: str) -> str:
    """PostgreSQL cannot hold a NUL, and nobody means any other control character."""
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError("holds a control character")
    return text


Plain = Annotated[str, AfterValidator(_is_plain)]
#: What only the console itself says.
RESERVED = frozenset({"audit", "policy.changed", "node.changed", "nodes.status", "hello", "cursor"})


class EventIn(Schema):
    """One event to append."""

    type: str
    data: dict[str, Any] = Field(default_factory=dict)
    node_id: str | None = None
    project_id: Annotated[Plain, Field(min_length=1, max_length=64)] = "default"
    session_id: Annotated[Plain, Field(max_length=64)] | None = None
    user_id: Annotated[Plain, Field(max_length=64)] | None = None

    @field_validator("type")
    @classmethod
    def _type_is_free(cls, value: str) -> str:
        if not TYPE.fullmatch(value):
            raise ValueError("made of a-z, 0-9, _ and ., beginning with a letter, at most 48")
        if value in RESERVED:
            raise ValueError("only the console itself writes events of this type")
        return value

    @field_validator("node_id")
    @classmethod
    def _node_is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not NODE.fullmatch(value):
            raise ValueError("made of letters, digits, _, - and ., at most 64")
        return value

    @field_validator("data")
    @classmethod
    def _data_can_be_kept(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            size = len(orjson.dumps(value))
        except (TypeError, ValueError) as exc:
            raise ValueError("holds what JSON cannot carry") from exc
        if size > MAX_DATA:
            raise ValueError(f"at most {MAX_DATA} bytes as JSON")
        return value


class EventOut(Schema):
    """An event, as on the stream."""

    v: int = 1
    id: int
    type: str
    ts: str
    node_id: str | None
    project_id: str
    session_id: str | None
    user_id: str | None
    data: dict[str, Any]


class EventPage(Schema):
    """`next` continues in the same direction: as `after` where `after` was given, else as `before`."""

    items: list[EventOut]
    next: int | None


class Appended(Schema):
    """The ids that the events were given, in the order of the request."""

    ids: list[int]


class EventQuery(Schema):
    """Which events."""

    after: Annotated[int, Field(ge=0, le=queries.MAX_ID)] | None = None
    before: Annotated[int, Field(ge=0, le=queries.MAX_ID)] | None = None
    type: Annotated[Plain, Field(max_length=1000)] | None = None
    node: Annotated[Plain, Field(max_length=64)] | None = None
    q: Annotated[Plain, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=500)] = 50


@router.get("/events", response=EventPage, auth=needs(Right.READ))
def list_events(request: HttpRequest, asked: Query[EventQuery]) -> dict[str, Any]:
    """A page of the log: oldest first after an id, newest first without `after`."""
    principal: Principal = request.principal  # type: ignore[attr-defined]
    page = queries.page(
        after=asked.after,
        before=asked.before,
        types=types_of(asked.type),
        node=asked.node or None,
        q=asked.q,
        limit=asked.limit,
        can_see=not hidden_from(principal),
    )
    return {"items": [_as_dict(event) for event in page.items], "next": page.next}


@router.post("/events", response={201: Appended}, auth=needs(Right.INGEST))
def append_events(request: HttpRequest, events: EventIn | list[EventIn]) -> Status[dict[str, Any]]:
    """Append one event or a list of them; a list is appended whole or not at all."""
    given = events if isinstance(events, list) else [events]
    if not 1 <= len(given) <= MAX_AT_ONCE:
        detail = f"From 1 to {MAX_AT_ONCE} events at once."
        raise Problem(422, "invalid", detail, errors=[{"path": "body", "message": detail}])
    principal: Principal = request.principal  # type: ignore[attr-defined]
    ids = services.ingest([NewEvent(**event.model_dump()) for event in given], principal)
    return Status(201, {"ids": ids})


def _as_dict(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "ts": stamp(event.ts),
        "node_id": event.node_id,
        "project_id": event.project_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "data": readable(event.data),
    }
