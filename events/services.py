"""Writing the log. `append` is the only way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from core.access.principals import Principal
from core.audit import services as audit
from core.locks import lock_log
from core.metrics import EVENTS_APPENDED
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


_COLUMNS = "ts, type, node_id, project_id, session_id, user_id, data"
_INSERT = f"INSERT INTO events_event ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"  # noqa: S608  no input in it
_COPY = f"COPY events_event (id, {_COLUMNS}) FROM STDIN"
_TAKE_IDS = """
SELECT nextval(pg_get_serial_sequence('events_event', 'id')) FROM generate_series(1, %s)
"""
#: From here on COPY's second round trip is worth it: 8.6 µs a row, against 30 of a long INSERT.
COPY_FROM = 20


def append(
    type: str,
    data: Mapping[str, Any],
    *,
    node_id: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    project_id: str = "default",
) -> Event:
    """Append one event inside the caller's transaction and ring the doorbell when it commits.

    Call it last: until the transaction ends, nobody else can append.
    """
    new = NewEvent(type, data, node_id, session_id, user_id, project_id)
    (id_,), now, (encoded,) = _write([new])
    return _event(id_, now, new, encoded)


def append_many(new: Sequence[NewEvent]) -> list[int]:
    """Append several events under one lock, in order; returns their ids.

    Raises TypeError for data that JSON has no word for.
    """
    return _write(new)[0] if new else []


@transaction.atomic
def ingest(new: Sequence[NewEvent], actor: Principal) -> list[int]:
    """Append events that a program sends; one audit record says who sent which ids."""
    ids = append_many(new)
    detail = {
        "first_id": ids[0],
        "last_id": ids[-1],
        "types": sorted({event.type for event in new}),
    }
    audit.record("event.append", actor=actor, target=f"{len(ids)} events", detail=detail)
    return ids


@transaction.atomic
def _write(new: Sequence[NewEvent]) -> tuple[list[int], datetime, list[str]]:
    """Write the rows; returns their ids, the moment and the data as stored."""
    encoded = [orjson.dumps(event.data, option=orjson.OPT_UTC_Z).decode() for event in new]
    lock_log()
    now = timezone.now()  # under the lock, so that times ascend with the ids
    ids = _insert(now, new, encoded)
    transaction.on_commit(partial(_announce, Counter(event.type for event in new)), robust=True)
    return ids, now, encoded


def _insert(now: datetime, new: Sequence[NewEvent], encoded: Sequence[str]) -> list[int]:
    """Without model objects where there are many: making those costs as much as writing the rows."""
    if connection.vendor == "sqlite":
        return _insert_sqlite(connection.ops.adapt_datetimefield_value(now), new, encoded)
    if len(new) >= COPY_FROM:
        return _copy_postgresql(now, new, encoded)
    rows = [_event(None, now, event, data) for event, data in zip(new, encoded, strict=True)]
    return [row.id for row in Event.objects.bulk_create(rows)]


def _insert_sqlite(now: Any, new: Sequence[NewEvent], encoded: Sequence[str]) -> list[int]:
    """This transaction is the only writer (IMMEDIATE), so AUTOINCREMENT gives the rows ids without holes."""
    with connection.cursor() as sql:
        sql.executemany(_INSERT, [_values(now, e, d) for e, d in zip(new, encoded, strict=True)])
        sql.execute("SELECT last_insert_rowid()")
        last = sql.fetchone()[0]
    return list(range(last - len(new) + 1, last + 1))


def _copy_postgresql(now: datetime, new: Sequence[NewEvent], encoded: Sequence[str]) -> list[int]:
    with connection.cursor() as sql:
        sql.execute(_TAKE_IDS, [len(new)])
        ids = [row[0] for row in sql.fetchall()]
        with sql.copy(_COPY) as copy:
            for id_, event, data in zip(ids, new, encoded, strict=True):
                copy.write_row((id_, *_values(now, event, data)))
    return ids


def _values(now: Any, event: NewEvent, data: str) -> tuple[Any, ...]:
    """In the order of _COLUMNS."""
    return (
        now, event.type, event.node_id, event.project_id, event.session_id, event.user_id, data,
    )  # fmt: skip


def _event(id_: int | None, now: datetime, event: NewEvent, data: str) -> Event:
    return Event(
        id_, now, event.type, event.node_id, event.project_id, event.session_id, event.user_id, data
    )  # fmt: skip


def _announce(written: Counter[str]) -> None:
    doorbell.ring()
    for type_, count in written.items():
        EVENTS_APPENDED.labels(type_).inc(count)
