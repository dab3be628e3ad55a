"""Reads of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.audit.models import AuditRecord
from core.audit.stores import get_store

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some records and the cursor of those that follow in the same direction."""

    items: list[AuditRecord]
    next: str | None


def page(
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
    action: str = "",
    actor: str = "",
) -> Page:
    """Newest first; with `after` oldest first from there on."""
    limit = max(1, min(limit, MAX_LIMIT))
    rows = get_store().page(after=after, before=before, limit=limit + 1, action=action, actor=actor)
    return Page(rows[:limit], str(rows[limit - 1].seq) if len(rows) > limit else None)


def as_dict(row: AuditRecord) -> dict[str, Any]:
    """A record as the API, the commands and the event `audit` show it."""
    return {
        "seq": row.seq,
        "ts": row.ts,
        "actor": row.actor,
        "actor_kind": row.actor_kind,
        "action": row.action,
        "target": row.target,
        "outcome": row.outcome,
        "detail": _detail(row.detail),
        "request_id": row.request_id,
        "address": row.address,
        "digest": row.digest,
    }


def _detail(text: str) -> dict[str, Any]:
    """The stored detail; one that somebody broke in the database is shown as it stands."""
    try:
        value = orjson.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"unreadable": text[:200]}
