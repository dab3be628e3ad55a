"""Builders of what tests need in the database. Everything has a default; a test names what it is about."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from django.utils import timezone

from core.access.models import Role, User
from core.access.principals import ROLE_RIGHTS, Principal, system
from core.access.services import create_key
from nodes.models import Node, NodeState, Status

PASSWORD = "correct-horse-battery"
_numbers = count(1)


def make_user(
    username: str = "", role: str = Role.VIEWER, password: str | None = None, **fields: Any
) -> User:
    """A person; without a password nobody can log in as them (hashing one takes a tenth of a second)."""
    return User.objects.create_user(
        username or f"user-{next(_numbers)}", password, role=role, **fields
    )


def make_key(*scopes: str, name: str = "") -> str:
    """An API key with these scopes (`read` where none is named), as its holder sends it."""
    _row, key = create_key(
        name or f"key-{next(_numbers)}", scopes or ("read",), None, system("tests")
    )
    return key


def principal(role: str = Role.ADMIN, name: str = "tester", **fields: Any) -> Principal:
    """Somebody who acts, without a row in the database."""
    return Principal(kind="user", name=name, rights=ROLE_RIGHTS[role], role=role, **fields)


def make_node(
    node_id: str = "",
    *,
    declared: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
    maintenance_until: datetime | None = None,
    **state: Any,
) -> Node:
    """A node with its state; fields of the state are named as they are (`status="online"`, `failures=2`)."""
    node = Node.objects.create(
        node_id=node_id or f"node-{next(_numbers)}",
        declared=declared,
        overrides=overrides or {"monitor_url": "http://127.0.0.1:9"},
        maintenance_until=maintenance_until,
    )
    state.setdefault("status", Status.UNKNOWN)
    NodeState.objects.update_or_create(node=node, defaults={"since": timezone.now(), **state})
    return node
