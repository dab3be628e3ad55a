"""The one lock under which ids of the event log and of the audit chain are given."""

from __future__ import annotations

from django.db import connection

#: Any number will do that nothing else in the database uses.
_LOG_LOCK = 0x50F11A


def lock_log() -> None:
    """Hold the log's lock until the transaction ends, so that ids are given in commit order.

    PostgreSQL: a transaction-level advisory lock, released after the commit is visible. SQLite: every transaction is
    IMMEDIATE, so it is the only writer already. Take it last in a transaction: what follows holds up every writer.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("the log is written inside a transaction only")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOG_LOCK])
