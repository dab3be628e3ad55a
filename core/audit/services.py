"""Writing and verifying the audit chain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from core.access.principals import Principal
from core.audit.models import AuditRecord
from core.locks import lock_log

GENESIS = "0" * 64


@transaction.atomic
def record(
    action: str,
    *,
    actor: Principal,
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
