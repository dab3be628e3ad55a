"""Refusals of the network policy become events that the operator sees: one per kind and target in ten minutes."""

from __future__ import annotations

import threading
import time

from django.db import transaction

from core.outbound import guard
from core.outbound.guard import Refusal
from events import services as events

REPEAT_AFTER_S = 600.0
#: A hostile page of URLs must not grow this table without end.
MAX_KINDS = 1000

Kind = tuple[str, str, int, str]


class RefusalReport:
    """Collects refusals where they happen and writes them where a database may be asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Kind, int] = {}
        self._told_at: dict[Kind, float] = {}

    def note(self, refusal: Refusal) -> None:
        """Count one refusal; called on the event loop, so it only remembers."""
        kind = (str(refusal.purpose), refusal.host, refusal.port, refusal.reason)
        with self._lock:
            if kind in self._waiting or len(self._waiting) < MAX_KINDS:
                self._waiting[kind] = self._waiting.get(kind, 0) + 1

    def flush(self) -> int:
        """Append one `error` event for each kind that was not told lately; returns how many."""
        now = time.monotonic()
        with self._lock:
            self._told_at = {k: at for k, at in self._told_at.items() if now - at < REPEAT_AFTER_S}
            due = {kind: n for kind, n in self._waiting.items() if kind not in self._told_at}
            for kind in due:
                del self._waiting[kind]
            self._told_at.update(dict.fromkeys(due, now))
        if due:
            with transaction.atomic():
                events.append_many([_event(kind, count) for kind, count in due.items()])
        return len(due)


def _event(kind: Kind, count: int) -> events.NewEvent:
    purpose, host, port, reason = kind
    return events.NewEvent(
        "error",
        {
            "code": "outbound_refused",
            "detail": reason,
            "purpose": purpose,
            "host": host,
            "port": port,
            "count": count,
        },
    )


REPORT = RefusalReport()


def listen() -> RefusalReport:
    """Begin to collect in this process."""
    guard.on_refusal(REPORT.note)
    return REPORT
