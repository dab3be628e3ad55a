"""`manage.py apikey create|list|revoke`."""

from __future__ import annotations

import getpass
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.access import services
from core.access.api import key_dict
from core.access.models import ApiKey
from core.access.principals import Principal, Right
from core.policies.fields import parse_duration
from core.problems import Problem


def _lifetime(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


class Command(BaseCommand):
    """Keys for programs. A key is shown once, when it is made."""

    help = "Make, list and revoke API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        """The three things to do."""
        does = parser.add_subparsers(dest="do", required=True)
        create = does.add_parser("create", help="make a key and show it, once")
        create.add_argument("name")
        create.add_argument(
            "--scope", action="append", required=True, choices=[str(r) for r in Right]
        )
        create.add_argument(
            "--expires", type=_lifetime, help="a duration such as 90d; never without it"
        )
        revoke = does.add_parser("revoke", help="end a key")
        revoke.add_argument("id")
        for part in (create, does.add_parser("list", help="list the keys"), revoke):
            part.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, do: str, **options: Any) -> None:
        """Exit status 1 and one line on stderr when it cannot be done."""
        try:
            getattr(self, f"_{do}")(options)
        except Problem as problem:
            raise CommandError(problem.detail) from problem

    def _create(self, options: dict[str, Any]) -> None:
        key, plaintext = services.create_key(
            options["name"], options["scope"], options["expires"], _actor()
        )
        if options["json"]:
            self._json({**key_dict(key), "key": plaintext})
            return
        self.stderr.write(
            f"Key {key.key_id} for {key.name}: {', '.join(key.scopes)}. Shown this once:"
        )
        self.stdout.write(plaintext)

    def _list(self, options: dict[str, Any]) -> None:
        keys = ApiKey.objects.order_by("-pk")
        if options["json"]:
            self._json([key_dict(key) for key in keys])
            return
        line = "{:<14}{:<24}{:<26}{:<18}{:<18}{}".format
        self.stdout.write(line("ID", "NAME", "SCOPES", "EXPIRES", "LAST USED", "REVOKED"))
        for key in keys:
            scopes = ",".join(key.scopes)
            dates = (_day(key.expires_at), _day(key.last_used_at), _day(key.revoked_at))
            self.stdout.write(line(key.key_id, key.name, scopes, *dates))

    def _revoke(self, options: dict[str, Any]) -> None:
        key = services.revoke_key(options["id"], _actor())
        if options["json"]:
            self._json(key_dict(key))
        else:
            self.stdout.write(f"Key {key.key_id} ({key.name}) is revoked.")

    def _json(self, value: object) -> None:
        self.stdout.write(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode())


def _actor() -> Principal:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Principal(kind="cli", name=f"cli:{name}")
