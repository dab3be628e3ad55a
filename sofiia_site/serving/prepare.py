"""What has to be true before the first request: policies read, schema current, registry in the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from core.access.principals import system
from core.access.sessions import issue_first_login
from core.outbound.guard import get_guard
from core.policies.loader import PolicyError
from nodes.models import Node
from nodes.policy import load_registry
from nodes.registry import environment_overrides
from nodes.services import SyncResult, sync_registry
from sofiia_site.environment import EXIT_UNSAFE
from sofiia_site.readiness import channel_layer

logger = logging.getLogger("sofiia.serve")


class CannotStart(Exception):
    """The console cannot start; the message is one line a fault, `status` the exit status."""

    def __init__(self, message: str, status: int = EXIT_UNSAFE) -> None:
        super().__init__(message)
        self.status = status


def read_policies() -> set[str]:
    """Read every file that steers the console; a bad one stops the start with file, line and column.

    Returns the ids of the nodes that the registry declares.
    """
    if settings.CONFIG_DIR is None:
        raise CannotStart("no directory with nodes_registry.yml was found; set CONFIG_DIR")
    try:
        registry = load_registry()
        get_guard()
    except PolicyError as exc:
        raise CannotStart(str(exc)) from exc
    return set(registry.value.nodes)


def check_overrides(declared: set[str]) -> None:
    """Refuse variables that override a node which neither the file nor the database knows, or with nonsense."""
    known = declared | set(Node.objects.active().values_list("pk", flat=True))
    _overrides, faults = environment_overrides(os.environ, known)
    if faults:
        raise CannotStart("\n".join(faults))


def migrate_if_needed(may_migrate: bool) -> None:
    """Bring the schema up to date, or refuse to start where another process has to do it."""
    try:
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
    except DatabaseError as exc:
        raise CannotStart(f"the database cannot be used: {_database_fault(exc)}", 1) from exc
    if not may_migrate:
        raise CannotStart("the database schema is not current; run manage.py migrate", 1)
    call_command("migrate", verbosity=0, interactive=False)


def _database_fault(error: DatabaseError) -> str:
    """The first line of what is wrong. A pool only says that it waited, so PostgreSQL is asked once directly."""
    reason = str(error)
    if connection.vendor == "postgresql":
        import psycopg

        name, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
        try:
            psycopg.connect(
                host=name, port=port or None, dbname=connection.settings_dict["NAME"],
                user=connection.settings_dict["USER"] or None,
                password=connection.settings_dict["PASSWORD"] or None, connect_timeout=3,
            ).close()  # fmt: skip
        except psycopg.Error as exc:
            reason = str(exc)
    return next(iter(reason.strip().splitlines()), type(error).__name__)


def warn_of_redis() -> None:
    """Redis is only a doorbell: without it the console works, slower between processes, and says so once."""
    layer = channel_layer()
    if not layer.ok:
        fault = layer.detail["error"]
        logger.warning("REDIS_URL does not answer", extra={"fault": fault})


def prepare(*, may_migrate: bool, web: bool) -> tuple[SyncResult, str | None]:
    """Everything above in order; returns what the registry changed and, at a first start, the one-time token."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    declared = read_policies()
    migrate_if_needed(may_migrate)
    check_overrides(declared)
    warn_of_redis()
    return sync_registry(system("start")), issue_first_login() if web else None


def banner(
    say: Callable[[str], object], result: SyncResult, token: str | None, *, web: bool
) -> None:
    """Tell a person where everything is."""
    environment = settings.ENVIRONMENT
    host = environment.bind_host
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  compared, not bound
    base = (
        f"http://[{shown}]:{environment.port}"
        if ":" in shown
        else f"http://{shown}:{environment.port}"
    )
    total = result.created + result.changed + result.unchanged
    others = Node.objects.active().count() - total
    more = f", {others} more from the admin and the API" if others > 0 else ""
    if web:
        say(f"Console      {base}/ui/\n")
    say(f"Nodes        {total} in {settings.CONFIG_DIR}/nodes_registry.yml{more}\n")
    say(f"Data         {settings.DATA_DIR} ({connection.vendor})\n")
    if token:
        say("First login  open this once, within 24 hours, and choose a name and a password:\n")
        say(f"             {base}/ui/welcome/{token}\n")
