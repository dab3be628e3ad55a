"""A PostgreSQL database of a test's own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.harness.services import POSTGRES_URL


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of a new database with a random name; it is dropped at the end, whoever is still connected."""
    name = f"sofiia_test_{secrets.token_hex(6)}"
    _maintain(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
    finally:
        _maintain(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _maintain(statement: str) -> None:
    with psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
