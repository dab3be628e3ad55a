"""`manage.py serve`: the whole console in one process, or one part of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sofiia_site.serving import PARTS, Plan, serve


class Command(BaseCommand):
    """Starts the console; Ctrl-C or SIGTERM stops it within ten seconds, a second one at once."""

    help = "Run the console: web, poller and scheduler in one process, or one part alone."
    requires_system_checks: list[str] = []  # noqa: RUF012  environment faults were refused before; speed counts here

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only", choices=PARTS, help="run one part alone (several processes on PostgreSQL)"
        )
        parser.add_argument(
            "--server", choices=("uvicorn", "daphne"), default="uvicorn", help="the ASGI server"
        )
        parser.add_argument(
            "--fleet",
            type=int,
            default=0,
            metavar="N",
            help="also run N simulated nodes and register them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        parts = (options["only"],) if options["only"] else PARTS
        raise SystemExit(serve(Plan(parts, options["server"], options["fleet"], self.stdout.write)))
