"""`manage.py poll_once`: one round of probes over the whole fleet."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core import safe_json
from nodes import prober, queries, tables


class Command(BaseCommand):
    """Exit status 0 when the round was made, whatever it found."""

    help = "Probe every node that is not paused once, and print what was found."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Only `--json`."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Probe, then show."""
        cycle = asyncio.run(prober.poll_once())
        fleet = queries.fleet()
        figures = {
            "probed": cycle.probed,
            "failed": cycle.failed,
            "duration_ms": cycle.duration_ms,
        }
        if options["json"]:
            items = [view.as_dict() for view in fleet.nodes]
            data = {"items": items, "summary": fleet.summary, "cycle": figures}
            self.stdout.write(safe_json.dumps(data).decode())
            return
        self.stdout.write(tables.fleet_table(fleet))
        self.stdout.write(
            f"{cycle.probed} probed, {cycle.failed} failed, {cycle.duration_ms} ms",
        )
