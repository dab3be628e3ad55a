"""Writing and verifying the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.db import transaction
from django.utils import timezone

from core.audit import anchor, chain
from core.audit.chain import Mark, Verification
from core.audit.models import AuditRecord
from core.audit.redaction import clean_detail, clean_text
from core.audit.signals import audit_recorded
from core.audit.stores import get_store


class Actor(Protocol):
    """Who acted, as a `Principal` says it."""

    @property
    def name(self) -> str:
        """What the audit shows."""

    @property
    def kind(self) -> str:
        """user, key, system …"""

    @property
    def address(self) -> str:
        """Where the request came from."""

    @property
    def request_id(self) -> str:
        """In which request."""


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

    `action` is `<object>.<verb>` (`node.update`), `outcome` is `done` or `refused`. Call it last in the transaction:
    until it ends nobody else can write a record.
    """
    row = AuditRecord(
        ts=timezone.now(),
        actor=clean_text(actor.name, 96),
        actor_kind=actor.kind,
        action=clean_text(action, 64),
        target=clean_text(target, 200),
        outcome=outcome,
        detail=clean_detail(detail),
        request_id=clean_text(actor.request_id, 64),
        address=clean_text(actor.address, 64),
    )
    store = get_store()
    store.append(row)
    audit_recorded.send(sender=AuditRecord, record=row)
    mark = Mark(row.seq, row.digest)
    transaction.on_commit(lambda: anchor.note(store.name, mark), robust=True)
    return row


def verify() -> Verification:
    """Walk the whole chain: finds records that were edited, deleted, reordered or inserted, and a tail that was cut off."""
    store = get_store()
    # The heads are read first: a record that is written meanwhile is in the chain but not yet among them.
    return chain.verify(store.rows(), anchor.marks(store.name), store.successor)
