"""`manage.py events tail`: the log on a terminal, read from the table itself, so it works when the web part is down."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from events import queries
from events.filters import NODE, TYPE
from events.frames import Frame, readable, stamp
from events.models import Event
from events.sentences import glyph, sentence, state_of

LOOK_EVERY_S = 0.25
PAGE = 200


class Command(BaseCommand):
    """Prints events, oldest first; with --follow until Ctrl-C."""

    help = "Show the event log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        tail = actions.add_parser("tail", help="print the last events, or those after an id")
        tail.add_argument("--since", type=int, metavar="ID", help="everything after this id")
        tail.add_argument(
            "--type", action="append", metavar="TYPE", help="only this type; again for more"
        )
        tail.add_argument("--node", metavar="ID", help="only events about this node")
        tail.add_argument(
            "--lines", type=int, default=20, metavar="N", help="without --since: how many"
        )
        tail.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")
        tail.add_argument(
            "--json", action="store_true", help="one JSON object a line, as on the stream"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        types, node = _checked(options["type"], options["node"])
        self._json = options["json"]
        try:
            position = self._print_known(options["since"], options["lines"], types, node)
            if options["follow"]:
                self._follow(position, types, node)
        except (KeyboardInterrupt, BrokenPipeError):
            return

    def _print_known(
        self, since: int | None, lines: int, types: Sequence[str] | None, node: str | None
    ) -> int:
        """What is there already; returns the id up to which everything has been considered."""
        if since is None:
            last = queries.last_id()
            known = queries.newest(
                max(0, min(lines, 10_000)), before=last + 1, types=types, node=node
            )
            self._print(reversed(known))
            return last
        if since < queries.pruned_through():
            self.stderr.write(f"Events up to {queries.pruned_through()} are no longer kept.")
        return self._print_after(since, types, node)

    def _follow(self, position: int, types: Sequence[str] | None, node: str | None) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            try:
                position = self._print_after(position, types, node)
            except Error as exc:
                self.stderr.write(
                    f"The database does not answer ({type(exc).__name__}); trying on."
                )
                connection.close()
                time.sleep(2)

    def _print_after(self, position: int, types: Sequence[str] | None, node: str | None) -> int:
        """Print page by page up to the end of the log; returns the new position."""
        end = queries.last_id()
        while True:
            page = queries.after(position, limit=PAGE, types=types, node=node)
            self._print(page)
            if page:
                position = page[-1].id
            if len(page) < PAGE:
                return max(position, end)

    def _print(self, events: Iterable[Event]) -> None:
        for event in events:
            self.stdout.write(_as_json(event) if self._json else self._as_line(event))
        self.stdout.flush()

    def _as_line(self, event: Event) -> str:
        data = readable(event.data)
        about = f"{event.node_id}: " if event.node_id else ""
        head = f"{glyph(event.type, data)} {stamp(event.ts)[11:19]}  {event.type:<14}"
        said, number = sentence(event.type, data), self.style.HTTP_NOT_MODIFIED(f"#{event.id}")
        return f"{self._dress(state_of(event.type, data))(head)} {about}{said}  {number}"

    def _dress(self, state: str) -> Callable[[str], str]:
        """Colour means state and nothing else."""
        styles = {"online": "SUCCESS", "degraded": "WARNING", "offline": "ERROR"}
        dress: Callable[[str], str] = getattr(self.style, styles.get(state, ""), str)
        return dress


def _checked(
    types: Sequence[str] | None, node: str | None
) -> tuple[Sequence[str] | None, str | None]:
    for name in types or ():
        if not TYPE.fullmatch(name):
            raise CommandError(f"{name!r} is no type of event.")
    if node is not None and not NODE.fullmatch(node):
        raise CommandError(f"{node!r} is no id of a node.")
    return types, node


def _as_json(event: Event) -> str:
    return Frame(
        (event.id, event.ts, event.type, event.node_id, event.project_id, event.session_id, event.user_id, event.data)
    ).text  # fmt: skip
