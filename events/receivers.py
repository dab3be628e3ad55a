"""What the log hears from other parts of the core."""

from __future__ import annotations

from typing import Any

import orjson

from core.audit.models import AuditRecord
from core.audit.signals import audit_recorded
from events import services


def connect() -> None:
    """Listen to the audit chain."""
    audit_recorded.connect(append_audit_event, dispatch_uid="events.audit")


def append_audit_event(sender: Any, record: AuditRecord, **kwargs: Any) -> None:
    """The audit record as an event, in the transaction of the record itself."""
    services.append(
        "audit",
        {
            "seq": record.seq,
            "actor": record.actor,
            "actor_kind": record.actor_kind,
            "action": record.action,
            "target": record.target,
            "outcome": record.outcome,
            "detail": orjson.loads(record.detail),
            "request_id": record.request_id,
        },
    )
