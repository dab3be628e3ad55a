"""Reading the log: by id only, never by offset, so that every page costs the same however long the log is."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from django.db import connection
from django.db.models import Max, Min, QuerySet

from events.filters import RESTRICTED
from events.frames import Row
from events.models import Event, EventLog

MAX_ID = 2**63 - 1
#: A search looks at this many ids at a time and says where it stopped.
SEARCH_WINDOW = 20_000

_ROWS_AFTER = """
SELECT e.id, e.ts, e.type, e.node_id, e.project_id, e.session_id, e.user_id, e.data,
       (SELECT pruned_through FROM events_eventlog WHERE id = 1)
FROM events_event e WHERE e.id > %s ORDER BY e.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log begins and ends: `oldest_id` is the first id that may still be there, `last_id` the newest."""

    last_id: int
    oldest_id: int
    log_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Events for the API; `next` continues in the same direction, None at the end."""

    items: list[Event]
    next: int | None


def head() -> Head:
    """The ends of the log and its identity."""
    log, _ = EventLog.objects.get_or_create(pk=1)
    return Head(last_id=last_id(), oldest_id=oldest_id(), log_id=str(log.log_id))


def last_id() -> int:
    """The newest id; 0 in an empty log."""
    return Event.objects.aggregate(value=Max("id"))["value"] or 0


def oldest_id() -> int:
    """The oldest id that is kept; 0 in an empty log."""
    return Event.objects.aggregate(value=Min("id"))["value"] or 0


def pruned_through() -> int:
    """Up to which id the log has been pruned; 0 = nothing yet."""
    return EventLog.objects.filter(pk=1).values_list("pruned_through", flat=True).first() or 0


def rows_after(cursor: int, limit: int) -> tuple[list[Row], int]:
    """The next rows in order of id and, from the same snapshot, up to which id the log has been pruned.

    One statement, so that a cut by the retention is either not seen at all or seen together with its record.
    """
    with connection.cursor() as sql:
        sql.execute(_ROWS_AFTER, [min(cursor, MAX_ID), limit])
        rows = sql.fetchall()
    return [row[:8] for row in rows], (rows[0][8] or 0) if rows else 0


def floor_of_newest(count: int) -> int:
    """The id below the newest `count` events."""
    ids = Event.objects.order_by("-id").values_list("id", flat=True)
    oldest_of_them = next(iter(ids[count - 1 : count]), None)
    return oldest_of_them - 1 if oldest_of_them else max(oldest_id() - 1, 0)


def after(
    cursor: int,
    *,
    limit: int = 200,
    types: Iterable[str] | None = None,
    node: str | None = None,
    can_see: bool = True,
) -> list[Event]:
    """Events after an id, oldest first. `can_see`: whether restricted types are shown."""
    return page(after=cursor, types=types, node=node, limit=limit, can_see=can_see).items


def newest(
    limit: int = 50,
    *,
    before: int | None = None,
    types: Iterable[str] | None = None,
    node: str | None = None,
    can_see: bool = True,
) -> list[Event]:
    """The newest events (below `before`), newest first."""
    return page(before=before, types=types, node=node, limit=limit, can_see=can_see).items


def page(
    *,
    after: int | None = None,
    before: int | None = None,
    types: Iterable[str] | None = None,
    node: str | None = None,
    q: str = "",
    limit: int = 50,
    can_see: bool = False,
) -> Page:
    """One page: oldest first with `after`, else newest first (below `before`).

    `q` is looked for in the data of `SEARCH_WINDOW` ids at a time; a page may then be short and still have a `next`.
    """
    ascending = after is not None
    rows = Event.objects.filter(id__gt=after) if after is not None else Event.objects.all()
    if before is not None:
        rows = rows.filter(id__lt=before)
    if node is not None:
        rows = rows.filter(node_id=node)
    stop = None
    if q:
        rows, stop = _search(rows, q, after, before)
    items = list(islice(_merged(rows, types, ascending, limit + 1, can_see), limit + 1))
    if len(items) > limit:
        return Page(items[:limit], items[limit - 1].id)
    return Page(items, stop)


def _merged(
    rows: QuerySet[Event], types: Iterable[str] | None, ascending: bool, limit: int, can_see: bool
) -> Iterable[Event]:
    """One query per type, merged: with IN, a database would sort every event of these types first."""
    order = "id" if ascending else "-id"
    if types is None:
        visible = rows if can_see else rows.exclude(type__in=RESTRICTED)
        return visible.order_by(order)[:limit]
    wanted = sorted(frozenset(types) - (frozenset() if can_see else RESTRICTED))
    parts: Sequence[QuerySet[Event]] = [rows.filter(type=t).order_by(order)[:limit] for t in wanted]
    return heapq.merge(*parts, key=lambda event: event.id, reverse=not ascending)


def _search(
    rows: QuerySet[Event], q: str, after: int | None, before: int | None
) -> tuple[QuerySet[Event], int | None]:
    """The rows of the window that hold the text, and the id from which to go on looking."""
    if after is not None:
        edge = max(after, oldest_id() - 1) + SEARCH_WINDOW
        stop = edge if edge < last_id() else None
        rows = rows.filter(id__lte=edge)
    else:
        edge = min(before or MAX_ID, last_id() + 1) - SEARCH_WINDOW
        stop = edge if edge > oldest_id() else None
        rows = rows.filter(id__gte=edge)
    return rows.filter(data__icontains=q), stop
