"""Run by `test_missing_services` in a process of its own; not collected otherwise."""

import pytest


@pytest.mark.postgres
def test_with_postgres():
    """Needs PostgreSQL."""


@pytest.mark.redis
def test_with_redis():
    """Needs Redis."""


@pytest.mark.browser
def test_with_a_browser():
    """Needs Chromium."""
