"""`manage.py simulate_fleet`: real HTTP nodes on loopback, for a look around and for tests."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import resource
import signal
from argparse import ArgumentParser
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.access.principals import Principal, system
from nodes.simulator.characters import DEFAULT_MIX, BadMix, parse_mix
from nodes.simulator.control import Control, describe
from nodes.simulator.fleet import Fleet
from nodes.simulator.registration import register, registry_yaml
from nodes.simulator.run import BASE_PORT

_FILES_PER_NODE = 8


class Command(BaseCommand):
    """Runs until Ctrl-C, SIGTERM or the end of `--for`."""

    help = "Run simulated nodes on 127.0.0.1, each a real HTTP server with a character of its own."
    requires_system_checks: list[str] = []  # noqa: RUF012  --register alone touches the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--nodes", type=int, default=12, help="how many (default 12)")
        parser.add_argument("--mix", default=DEFAULT_MIX, help=f"shares (default {DEFAULT_MIX})")
        parser.add_argument(
            "--base-port",
            type=int,
            default=BASE_PORT,
            help=f"port of the remote control, the nodes follow; 0: any (default {BASE_PORT})",
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same fleet")
        parser.add_argument("--register", action="store_true", help="put them into the registry")
        parser.add_argument("--json", action="store_true", help="print the fleet for programs")
        parser.add_argument("--yaml", action="store_true", help="print a nodes_registry.yml")
        parser.add_argument("--for", type=float, dest="seconds", help="end after so many seconds")

    def handle(self, *args: Any, **options: Any) -> None:
        nodes, base_port = options["nodes"], options["base_port"]
        if not 1 <= nodes <= 10_000:
            raise CommandError("--nodes has to be from 1 to 10000")
        if base_port and not 1024 <= base_port <= 65_535 - nodes:
            raise CommandError(f"--base-port has to be 0 or from 1024 to {65_535 - nodes}")
        _allow_open_files(_FILES_PER_NODE * nodes)
        try:
            mix = parse_mix(options["mix"])
            fleet = Fleet(
                nodes,
                mix,
                options["seed"],
                base_port=base_port + 1 if base_port else 0,
                timeout_s=settings.ENVIRONMENT.probe_timeout_s,
            )
            asyncio.run(self._run(fleet, options))
        except BadMix as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"cannot listen: {exc.strerror}; try another --base-port") from exc

    async def _run(self, fleet: Fleet, options: dict[str, Any]) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with fleet:
            control = Control(fleet, options["base_port"])
            await control.start()
            try:
                if options["register"]:
                    await sync_to_async(register)(fleet, _actor())
                self._tell(fleet, control, options)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), options["seconds"])
            finally:
                await control.stop()

    def _tell(self, fleet: Fleet, control: Control, options: dict[str, Any]) -> None:
        if options["yaml"]:
            self.stdout.write(registry_yaml(fleet))
        elif options["json"]:
            nodes = [describe(node) for node in fleet.nodes]
            self.stdout.write(orjson.dumps({"control": control.url, "nodes": nodes}).decode())
        else:
            for node in fleet.nodes:
                self.stdout.write(f"{node.node_id:<10} {node.character:<9} {node.url}")
            self.stdout.write(f"{'control':<10} {'':<9} {control.url}/_sim")
        self.stdout.flush()


def _actor() -> Principal:
    """Who the audit shows: whoever runs the command."""
    who = system("simulator")
    return Principal(kind="cli", name=f"cli:{getpass.getuser()}", rights=who.rights, role=who.role)


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit where a big fleet needs it and the hard one allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if limit > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
