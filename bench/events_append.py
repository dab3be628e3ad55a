"""Goal D: rows per second of `append_many(500)` against the ORM's `create()`, on the database of DATABASE_URL.

DATABASE_URL=postgres://… .venv/bin/python bench/events_append.py
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="sofiia-bench-"))

import django

django.setup()

import orjson  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from events.models import Event  # noqa: E402
from events.services import NewEvent, append_many  # noqa: E402

DATA = {"run_id": 17, "task": "release_check", "status": "running", "pad": "x" * 170}
ROUNDS = 5


def rows_per_second(work: Callable[[], int]) -> float:
    """The median of a few rounds."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rows = work()
        rates.append(rows / (time.perf_counter() - began))
    return statistics.median(rates)


def by_create() -> int:
    for _ in range(500):
        Event.objects.create(
            ts=timezone.now(), type="ops.run", node_id="NODA1", data=orjson.dumps(DATA).decode()
        )
    return 500


def by_append_many() -> int:
    new = [NewEvent("ops.run", DATA, node_id="NODA1") for _ in range(500)]
    for _ in range(10):
        append_many(new)
    return 5_000


def main() -> None:
    call_command("migrate", verbosity=0)
    by_create(), by_append_many()
    create, many = rows_per_second(by_create), rows_per_second(by_append_many)
    print(
        f"{connection.vendor}: create() {create:,.0f} rows/s, append_many(500) {many:,.0f} rows/s, {many / create:.1f}x"
    )


main()
