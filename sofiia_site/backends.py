"""Where this console keeps what: told in `/monitor/status` and `/api/status/full`, so that a volatile store is seen."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

#: Django's name of an engine → the runbook's.
_NAMES = {"postgresql": "postgres", "sqlite": "sqlite"}


def database_name() -> str:
    """`postgres` or `sqlite`."""
    return _NAMES.get(connection.vendor, connection.vendor)


def backends() -> dict[str, str]:
    """The store behind each kind of record; everything but alerts and audit is always in the database."""
    environment = settings.ENVIRONMENT
    name = database_name()
    return {
        "alerts": "memory" if environment.alert_backend == "memory" else name,
        "audit": "jsonl" if environment.audit_backend == "jsonl" else name,
        "incidents": name,
        "risk_history": name,
        "backlog": name,
    }
