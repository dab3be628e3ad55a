"""Whether this console can do its work, part by part."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Min
from django.utils import timezone

from nodes.models import NodeState
from sofiia_site.backends import database_name
from sofiia_site.lifecycle import LIFECYCLE

#: A node may be this much later than its slot before the poller counts as missing.
POLLER_GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Check:
    """One part: fine, or the sentence that says what is not."""

    name: str
    ok: bool
    detail: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, **self.detail}


def database() -> Check:
    """A question to the database, timed."""
    began = time.perf_counter()
    error = None
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as exc:
        error = type(exc).__name__
    latency = round((time.perf_counter() - began) * 1000, 1)
    return Check(
        "database",
        error is None,
        {"engine": database_name(), "latency_ms": latency, "error": error},
    )


_migrated = False


def migrations() -> Check:
    """Whether the schema is the one that this code needs; once true it stays true."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Check("migrations", _migrated, {"error": None if _migrated else "run manage.py migrate"})


def channel_layer() -> Check:
    """In the process, or Redis that answers within a second."""
    layer = get_channel_layer()
    name = "redis" if settings.ENVIRONMENT.redis_url else "in-process"
    error = None
    if settings.ENVIRONMENT.redis_url:
        try:
            async_to_sync(_ring)(layer)
        except Exception as exc:  # whatever the client library raises means: not reachable
            error = type(exc).__name__
    return Check("channel_layer", error is None, {"backend": name, "error": error})


async def _ring(layer: Any) -> None:
    async with asyncio.timeout(1):
        await layer.group_send("readiness", {"type": "readiness"})


def poller() -> Check:
    """Some poller lives, on whatever host: no node is much later than its slot."""
    facts = NodeState.objects.filter(paused=False, node__retired_at=None).aggregate(
        due=Min("next_probe_at"), last=Max("probed_at")
    )
    late = facts["due"] is not None and facts["due"] < timezone.now() - POLLER_GRACE
    return Check(
        "poller",
        not late,
        {
            "last_cycle_at": facts["last"],
            "interval_s": settings.ENVIRONMENT.poll_interval_s,
            "error": "nodes wait for their probe: is a poller running?" if late else None,
        },
    )


def readiness() -> list[Check]:
    """Every part; the first failure of the database answers for those that need it."""
    checks = [
        Check(
            "serving",
            not LIFECYCLE.draining,
            {"error": "shutting down" if LIFECYCLE.draining else None},
        )
    ]
    checks.append(database())
    if checks[-1].ok:
        checks.append(migrations())
    if checks[-1].ok:
        checks.append(poller())
    checks.append(channel_layer())
    return checks
