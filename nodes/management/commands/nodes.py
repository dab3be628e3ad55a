"""`manage.py nodes`: the registry on the command line."""

from __future__ import annotations

import asyncio
import getpass
import os
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import safe_json
from core.access.principals import Principal, system
from core.policies.loader import PolicyError
from core.problems import Problem
from nodes import prober, queries, services, tables, transfer

MAX_FILE_BYTES = 1024 * 1024


class Command(BaseCommand):
    """Exit status 0: done; 1: it was not, or `probe` found the node other than online."""

    help = "Look at the registry, bring it in line with nodes_registry.yml, export and import it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One sub-command each; `--json` wherever there is something to show."""
        commands = parser.add_subparsers(dest="command", required=True)

        def add(name: str, help: str) -> ArgumentParser:
            command = commands.add_parser(name, help=help)
            command.add_argument("--json", action="store_true", help="for programs")
            return command

        add("sync", "take over nodes_registry.yml")
        add("list", "the fleet, worst first")
        for name, help in (("show", "one node and its settings"), ("probe", "probe a node now")):
            add(name, help).add_argument("node_id")
        export = add("export", "the registry as a file")
        export.add_argument("--format", choices=("yaml", "json"), default="yaml")
        importing = add("import", "make the registry say what a file says of its nodes")
        importing.add_argument("file", type=Path)
        importing.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the sub-command; what is refused is said in one line a fault."""
        try:
            getattr(self, f"_{options['command']}")(options)
        except Problem as problem:
            lines = [f"{fault['path']}: {fault['message']}" for fault in problem.errors]
            raise CommandError("\n".join([problem.detail, *lines])) from problem
        except PolicyError as exc:
            raise CommandError(str(exc)) from exc

    def _sync(self, options: dict[str, Any]) -> None:
        result = asdict(services.sync_registry(_actor()))
        words = ", ".join(f"{count} {name}" for name, count in result.items())
        self._say(options, result, words)

    def _list(self, options: dict[str, Any]) -> None:
        fleet = queries.fleet()
        data = {"items": [view.as_dict() for view in fleet.nodes], "summary": fleet.summary}
        self._say(options, data, tables.fleet_table(fleet))

    def _show(self, options: dict[str, Any]) -> None:
        view = queries.node_view(options["node_id"])
        fields = {name: asdict(sourced) for name, sourced in view.node.fields.items()}
        self._say(options, {**view.as_dict(), "fields": fields}, tables.node_table(view))

    def _probe(self, options: dict[str, Any]) -> None:
        node_id = options["node_id"]
        queries.node_view(node_id)
        asyncio.run(prober.probe_now(node_id))
        services.note_probe(node_id, _actor())
        view = queries.node_view(node_id)
        self._say(options, view.as_dict(), f"{tables.marked(view)}  {node_id}  {view.headline}")
        if not view.online:
            raise SystemExit(1)

    def _export(self, options: dict[str, Any]) -> None:
        if options["json"] or options["format"] == "json":
            self.stdout.write(transfer.export_json().decode())
        else:
            self.stdout.write(transfer.export_yaml(), ending="")

    def _import(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as exc:
            raise CommandError(f"{path}: {exc.strerror}") from exc
        nodes = transfer.read_document(data, path.name)
        result = asdict(services.import_nodes(nodes, _actor(), dry_run=options["dry_run"]))
        lines = [
            f"{name}: {', '.join(result[name]) or 'none'}"
            for name in ("created", "changed", "unchanged")
        ]
        if result["dry_run"]:
            lines.append("Nothing was written (dry run).")
        self._say(options, result, "\n".join(lines))

    def _say(self, options: dict[str, Any], data: Any, text: str) -> None:
        self.stdout.write(safe_json.dumps(data).decode() if options["json"] else text)


def _actor() -> Principal:
    """The person at the terminal, who may do everything."""
    who = system("cli")
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        name = str(os.getuid())
    return Principal(kind="cli", name=f"cli:{name}", rights=who.rights, role=who.role)
