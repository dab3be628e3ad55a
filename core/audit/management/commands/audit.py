"""`manage.py audit verify|tail`."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.audit import queries, services


class Command(BaseCommand):
    """The record of every write and every refusal."""

    help = "Verify the audit chain, or show its newest records."

    def add_arguments(self, parser: CommandParser) -> None:
        """The two things to do."""
        does = parser.add_subparsers(dest="do", required=True)
        verify = does.add_parser(
            "verify", help="walk the chain; exit status 1 when it does not hold"
        )
        tail = does.add_parser("tail", help="show the newest records, oldest first")
        tail.add_argument("-n", "--lines", type=int, default=20, help="how many, at most 500")
        tail.add_argument("--action", default="")
        tail.add_argument("--actor", default="")
        for part in (verify, tail):
            part.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, do: str, **options: Any) -> None:
        """Exit status 1 and one line on stderr when the chain does not hold."""
        if do == "verify":
            self._verify(options["json"])
        else:
            self._tail(options)

    def _verify(self, as_json: bool) -> None:
        found = services.verify()
        if as_json:
            self.stdout.write(orjson.dumps(dataclasses.asdict(found)).decode())
        elif found.ok:
            self.stdout.write(f"The chain of {found.rows} records holds.")
        if not found.ok:
            raise CommandError(f"record {found.first_bad}: {found.why}")

    def _tail(self, options: dict[str, Any]) -> None:
        page = queries.page(
            limit=options["lines"], action=options["action"], actor=options["actor"]
        )
        for row in reversed(page.items):
            if options["json"]:
                line = orjson.dumps(queries.as_dict(row), option=orjson.OPT_UTC_Z).decode()
            else:
                when = f"{row.ts:%Y-%m-%d %H:%M:%S}"
                line = f"{row.seq:>8}  {when}  {row.outcome:<8}{row.actor:<20} {row.action:<22} {row.target}"
            self.stdout.write(line)
