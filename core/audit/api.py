"""`/api/audit`: who did what and who was refused. Needs an admin's credentials, in dev too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from core.access.auth import needs
from core.audit import queries, services

router = Router()
Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=queries.MAX_LIMIT)]
Word = Annotated[str, Query(max_length=96)]


class RecordOut(Schema):
    """One record; `digest` chains it to the one before."""

    seq: int
    ts: datetime
    actor: str
    actor_kind: str
    action: str
    target: str
    outcome: str
    detail: dict[str, Any]
    request_id: str
    address: str
    digest: str


class RecordsOut(Schema):
    """A page of records."""

    items: list[RecordOut]
    next: str | None


class VerificationOut(Schema):
    """Whether the chain holds, and if not from where and why."""

    ok: bool
    rows: int
    first_bad: int | None
    why: str


@router.get("/audit", auth=needs("admin", credentials=True), response=RecordsOut)
def list_records(
    request: HttpRequest,
    after: Cursor = None,
    before: Cursor = None,
    limit: Limit = 50,
    action: Word = "",
    actor: Word = "",
) -> dict[str, Any]:
    """Newest first; with `after` oldest first from that number on. Filters are exact."""
    found = queries.page(after=after, before=before, limit=limit, action=action, actor=actor)
    return {"items": [queries.as_dict(row) for row in found.items], "next": found.next}


@router.get("/audit/verify", auth=needs("admin", credentials=True), response=VerificationOut)
def verify(request: HttpRequest) -> dict[str, Any]:
    """Walk the whole chain: `first_bad` is the number of the first record that does not hold, `why` says so in words."""
    found = services.verify()
    return {"ok": found.ok, "rows": found.rows, "first_bad": found.first_bad, "why": found.why}
