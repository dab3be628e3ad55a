"""A client for simulated nodes."""

from collections.abc import AsyncIterator

import httpx
import pytest


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Follows no redirect and no proxy variable; gives up after a second."""
    async with httpx.AsyncClient(timeout=1, trust_env=False) as client:
        yield client
