"""Writing and verifying the audit chain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from django.db import transaction
from django.utils import timezone

from core.audit.models import AuditRecord
from core.locks import lock_log

GENESIS = "0" * 64


class Actor(Protocol):
    """Who acted, as a `Principal` says it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def request_id(self) -> str: ...


@transaction.atomic
def record(
    action: str,
    *,
    actor: Actor,
    target: str = "",
    outcome: str = "done",
    detail: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """Append one record inside the caller's transaction: if it cannot be written, the change does not happen either.

    `action` is `<object>.<verb>` (`node.update`), `outcome` is `done` or `refused`. Call it last in the transaction.
    """
    lock_log()
    last = AuditRecord.objects.order_by("-seq").only("seq", "digest").first()
    row = AuditRecord(
        seq=last.seq + 1 if last else 1,
        ts=timezone.now(),
        actor=actor.name[:96],
        actor_kind=actor.kind,
        action=action,
        target=target[:200],
        outcome=outcome,
        detail=orjson.dumps(detail or {}, default=str).decode(),
        request_id=actor.request_id[:64],
        address=actor.address[:64],
        previous=last.digest if last else GENESIS,
    )
    row.digest = digest(row)
    row.save(force_insert=True)
    return row


def digest(row: AuditRecord) -> str:
    """SHA-256 over every column but itself, in a fixed order."""
    fields = [
        row.seq, row.ts.isoformat(), row.actor, row.actor_kind, row.action, row.target,
        row.outcome, row.detail, row.request_id, row.address, row.previous,
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(fields)).hexdigest()


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found."""

    ok: bool
    rows: int
    first_bad: int | None = None
    why: str = ""


def verify() -> Verification:
    """Walk the chain."""
    rows, last = 0, GENESIS
    for row in AuditRecord.objects.order_by("seq").iterator(chunk_size=1000):
        rows += 1
        if row.seq != rows or row.previous != last or digest(row) != row.digest:
            return Verification(
                False, rows, row.seq, "the record does not follow from the one before it"
            )
        last = row.digest
    return Verification(True, rows)
