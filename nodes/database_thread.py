"""One thread for the poller's database work, so that a slow database holds up nobody who asks nodes or answers browsers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


class DatabaseThread:
    """Runs functions one after the other on one connection, which is replaced after every error."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, in the thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _guarded, function, *args)

    async def close(self, within_s: float = 0.5) -> None:
        """Close the connection; one that hangs is left to the end of the process."""
        closing = asyncio.get_running_loop().run_in_executor(self._executor, connections.close_all)
        self._executor.shutdown(wait=False)
        await asyncio.wait([asyncio.ensure_future(closing)], timeout=within_s)


def _guarded(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    except BaseException:
        connections.close_all()
        raise
