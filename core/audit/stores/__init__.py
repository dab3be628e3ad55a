"""Where records are kept: the database, or files (`AUDIT_BACKEND`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from django.conf import settings

from core.audit.models import AuditRecord
from core.audit.stores.database import DatabaseStore
from core.audit.stores.jsonl import JsonlStore


class Store(Protocol):
    """What keeps the chain."""

    name: str

    def append(self, row: AuditRecord) -> None:
        """Give the row its number, its place in the chain and its digest, and keep it."""

    def rows(self) -> Iterator[AuditRecord]:
        """Every record by number."""

    def successor(self, digest: str) -> int | None:
        """The number of the record that was chained to this digest."""

    def page(
        self, *, after: int | None, before: int | None, limit: int, action: str, actor: str
    ) -> list[AuditRecord]:
        """At most `limit` records: newest first, or with `after` oldest first from there on."""


def get_store() -> Store:
    """The store that `AUDIT_BACKEND` names."""
    if settings.ENVIRONMENT.audit_backend == "jsonl":
        return JsonlStore()
    return DatabaseStore()
