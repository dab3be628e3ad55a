"""Writing the log. `append` is the only way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from core.locks import lock_log
from events import doorbell
from events.models import Event


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What the writer of an event knows."""

    type: str
    data: Mapping[str, Any]
    node_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    project_id: str = "default"


def append(
    type: str, data: Mapping[str, Any], *, node_id: str | None = None, **about: Any
) -> Event:
    """Append one event inside the caller's transaction and ring the doorbell when it commits.

    Call it last: until the transaction ends, nobody else can append.
    """
    return append_many([NewEvent(type, data, node_id=node_id, **about)])[0]


@transaction.atomic
def append_many(new: Sequence[NewEvent]) -> list[Event]:
    """Append several events under one lock, in order."""
    lock_log()
    now = timezone.now()
    rows = [
        Event(
            ts=now,
            type=event.type,
            node_id=event.node_id,
            project_id=event.project_id,
            session_id=event.session_id,
            user_id=event.user_id,
            data=orjson.dumps(event.data, option=orjson.OPT_UTC_Z).decode(),
        )
        for event in new
    ]
    rows = Event.objects.bulk_create(rows)
    transaction.on_commit(doorbell.ring, robust=True)
    return rows
