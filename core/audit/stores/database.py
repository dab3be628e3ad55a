"""Records in the database, one table, numbered in commit order."""

from __future__ import annotations

from collections.abc import Iterator

from core.audit import chain
from core.audit.models import AuditRecord
from core.locks import lock_log


class DatabaseStore:
    """The chain as a table; the row is written by the caller's transaction."""

    name = "database"

    def append(self, row: AuditRecord) -> None:
        """Chain the row under the log's lock."""
        lock_log()
        last = AuditRecord.objects.order_by("-seq").only("seq", "digest").first()
        row.seq = last.seq + 1 if last else 1
        row.previous = last.digest if last else chain.GENESIS
        row.digest = chain.digest(row)
        row.save(force_insert=True)

    def rows(self) -> Iterator[AuditRecord]:
        """Every record by number, a thousand at a time."""
        return AuditRecord.objects.order_by("seq").iterator(chunk_size=1000)

    def successor(self, digest: str) -> int | None:
        """The number of the record that was chained to this digest."""
        found = AuditRecord.objects.filter(previous=digest).order_by("seq")
        return found.values_list("seq", flat=True).first()

    def page(
        self, *, after: int | None, before: int | None, limit: int, action: str, actor: str
    ) -> list[AuditRecord]:
        """By key only: the deepest page costs what the first costs."""
        found = AuditRecord.objects.order_by("-seq" if after is None else "seq")
        if after is not None:
            found = found.filter(seq__gt=after)
        if before is not None:
            found = found.filter(seq__lt=before)
        if action:
            found = found.filter(action=action)
        if actor:
            found = found.filter(actor=actor)
        return list(found[:limit])
