"""The small site, an environment to change, and credentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from core.access import services, throttle
from core.access.keys import KEYS
from core.access.models import User
from core.access.principals import system
from core.audit import refusals
from tests.factories import PASSWORD, make_user

CONSOLE_KEY = "console-key-of-the-tests-0123456789abcdef"

Environ = Callable[..., None]
MakeKey = Callable[..., str]


@pytest.fixture(autouse=True)
def site(settings: Any, tmp_path: Path) -> Iterator[None]:
    """The small site, its own data directory, and nothing remembered from the test before."""
    settings.ROOT_URLCONF = "tests.access.site"
    settings.MIDDLEWARE = _middleware(settings.MIDDLEWARE)
    settings.DATA_DIR = tmp_path
    settings.ALLOWED_HOSTS = ["testserver", "localhost", "console.example"]
    KEYS.forget()
    throttle.forget_full_buckets()
    refusals.forget_windows()
    yield
    KEYS.forget()


def _middleware(given: list[str]) -> list[str]:
    """The console's own without static files; cookies are looked at before sessions."""
    drop = "core.access.middleware.SessionCookieMiddleware"
    kept = [name for name in given if "whitenoise" not in name and name != drop]
    kept.insert(kept.index("django.contrib.sessions.middleware.SessionMiddleware"), drop)
    return kept


@pytest.fixture
def environ(settings: Any) -> Environ:
    """`environ(env="prod", console_api_key="…")`."""

    def change(**values: Any) -> None:
        settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, **values)

    return change


@pytest.fixture
def prod(environ: Environ) -> None:
    """ENV=prod with a console key."""
    environ(env="prod", console_api_key=CONSOLE_KEY)


@pytest.fixture
def make_key(db: None) -> MakeKey:
    """`make_key("read", "ops")` is the plaintext of a new key."""

    def make(*scopes: str, expires_in: timedelta | None = None, name: str = "ci") -> str:
        return services.create_key(name, scopes or ("read",), expires_in, system("tests"))[1]

    return make


@pytest.fixture
def operator(db: None) -> User:
    """A person who may operate, with a password."""
    return make_user("olena", role="operator", password=PASSWORD)


@pytest.fixture
def strict_client() -> Client:
    """A client that does not switch the CSRF check off."""
    return Client(enforce_csrf_checks=True)


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def time_machine_at() -> Iterator[Callable[[timedelta], None]]:
    """`time_machine_at(timedelta(days=1))` makes it that much later than now."""
    with ExitStack() as stack:
        began = timezone.now()

        def travel(later: timedelta) -> None:
            stack.enter_context(time_machine.travel(began + later, tick=True))

        yield travel
