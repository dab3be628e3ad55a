"""Browsers of every role, and a fleet to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from core.access import throttle
from tests.factories import make_node, make_user

Login = Callable[..., Client]
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """WhiteNoise warns of a directory that is not there."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def forgiving(db: None) -> None:
    """No failures are left over from another test."""
    throttle.forget_full_buckets()
    cache.clear()


@pytest.fixture
def prod(settings: Any) -> None:
    """The rules of production."""
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, env="prod")


@pytest.fixture
def as_role() -> Login:
    """`as_role("operator")` is a browser that is logged in as one."""

    def log_in(role: str, **options: Any) -> Client:
        client = Client(**options)
        client.force_login(make_user(role=role, username=f"the-{role}"))
        return client

    return log_in


@pytest.fixture
def fleet() -> None:
    """One node of each kind."""
    now = timezone.now()
    seen = {"probed_at": now, "last_seen_at": now, "latency_ms": 12.0, "successes": 3}
    beats = [[now.timestamp() - 30, 12.0, "o"], [now.timestamp(), None, "f"]]
    make_node("up", status="online", recent=beats, **seen)
    make_node("slow", status="degraded", reasons=["Router answered 503"], **seen)
    make_node("down", status="offline", probed_at=now, reasons=["Connection refused"], failures=4)
    make_node("new")
