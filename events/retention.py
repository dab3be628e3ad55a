"""How long events are kept."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from events.models import Event, EventLog
from events.queries import last_id

KEEP = timedelta(days=30)
MAX_ROWS = 5_000_000
BATCH = 500
#: Between two batches other writers get their turn.
PAUSE_S = 0.02


def prune(
    *,
    keep: timedelta = KEEP,
    max_rows: int = MAX_ROWS,
    batch: int = BATCH,
    pause_s: float = PAUSE_S,
) -> int:
    """Delete what is older than `keep` or too many, oldest first; returns how many events went.

    The newest event always stays, so that the log never forgets how far it got. Each batch is one transaction together
    with the record of it, `EventLog.pruned_through`, by which readers tell a gap from an end.
    """
    cutoff = timezone.now() - keep
    deleted = 0
    while True:
        through = _next_cut(cutoff_ts=cutoff, newest=last_id(), max_rows=max_rows, batch=batch)
        if through is None:
            return deleted
        deleted += _delete_through(through)
        time.sleep(pause_s)


def _next_cut(*, cutoff_ts: datetime, newest: int, max_rows: int, batch: int) -> int | None:
    """The id through which the next batch may go; None when nothing is due."""
    oldest = Event.objects.filter(id__lt=newest).order_by("id").values_list("id", "ts")[:batch]
    through = None
    for event_id, ts in oldest:
        if ts >= cutoff_ts and event_id > newest - max_rows:
            break
        through = event_id
    return through


@transaction.atomic
def _delete_through(through: int) -> int:
    EventLog.objects.get_or_create(pk=1)
    EventLog.objects.filter(pk=1, pruned_through__lt=through).update(pruned_through=through)
    return Event.objects.filter(id__lte=through).delete()[0]
