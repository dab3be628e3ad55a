"""A registry file of the test's own, and clients with and without rights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from core.access.models import Role
from core.access.principals import Principal
from nodes import registry
from nodes.services import SyncResult, sync_registry
from tests.factories import make_user, principal

Write = Callable[[dict[str, Any]], Path]
SHIPPED = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """WhiteNoise warns of a directory that is not there."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def actor() -> Principal:
    """An admin."""
    return principal(Role.ADMIN, "olena")


@pytest.fixture
def write_registry(settings: Any, tmp_path: Path) -> Write:
    """Writes `nodes_registry.yml` into a configuration directory that is in force for this test."""
    directory = tmp_path / "config"
    shutil.copytree(SHIPPED, directory)
    settings.CONFIG_DIR = directory

    def write(document: dict[str, Any]) -> Path:
        path = directory / "nodes_registry.yml"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def sync(write_registry: Write, actor: Principal) -> Callable[..., SyncResult]:
    """Writes a registry of these nodes and brings the rows in line: `sync(a={…}, defaults={…})`."""

    def run(defaults: dict[str, Any] | None = None, **nodes: dict[str, Any]) -> SyncResult:
        write_registry({"defaults": defaults or {}, "nodes": nodes})
        return sync_registry(actor)

    return run


@pytest.fixture
def set_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts overrides into the process environment as if they had been there at the start."""

    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        overrides, _faults = registry.environment_overrides(variables)
        monkeypatch.setattr(registry, "_process_overrides", lambda: overrides)

    return put


@pytest.fixture
def admin(client: Any, db: None) -> Any:
    """A browser of somebody with the role admin."""
    client.force_login(make_user("olena", Role.ADMIN))
    return client


@pytest.fixture
def viewer(db: None) -> Any:
    """A browser of somebody who only reads."""
    client = Client()
    client.force_login(make_user("ivan", Role.VIEWER))
    return client
