"""A chain of its own for every test."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from core.access.principals import Principal


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """Files and anchor of this test only."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture(params=["auto", "jsonl"])
def store(request: pytest.FixtureRequest, settings: Any) -> str:
    """Every way in which the audit is kept."""
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, audit_backend=request.param)
    return str(request.param)


@pytest.fixture
def actor() -> Principal:
    """Somebody who does something."""
    return Principal(kind="user", name="olena", address="192.0.2.4", request_id="req-1")
