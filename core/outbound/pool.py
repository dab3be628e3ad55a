"""Connections that were left open, for the next request to the same origin."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable

from core.outbound.connection import StreamConnection

MAX_PER_ORIGIN = 16
MAX_IN_ALL = 256
IDLE_S = 15.0


class Pool:
    """Kept connections of one event loop. Small on purpose: it bounds what is idle, not what is in use.

    Belongs to whoever makes it, who also closes it.
    """

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._kept: dict[Hashable, deque[StreamConnection]] = {}
        self._count = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return self._count

    def take(self, key: Hashable) -> StreamConnection | None:
        """The connection that was used last, if one is left that was not closed meanwhile."""
        kept = self._kept.get(key)
        while kept:
            connection = kept.pop()
            self._count -= 1
            if connection.is_reusable:
                return connection
            connection.abort()
        self._kept.pop(key, None)
        return None

    def put(self, key: Hashable, connection: StreamConnection) -> None:
        """Keep a connection whose answer was read to its end, for at most `idle_s`."""
        kept = self._kept.setdefault(key, deque())
        is_full = self._is_closed or self._count >= MAX_IN_ALL or len(kept) >= MAX_PER_ORIGIN
        if is_full or not connection.is_reusable:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        kept.append(connection)
        self._count += 1
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_s, self._drop_old)

    def close(self) -> None:
        """Close everything that is kept, and keep nothing from now on."""
        self._is_closed = True
        self._drop(float("inf"))
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _drop_old(self) -> None:
        loop = asyncio.get_running_loop()
        self._drop(loop.time() - self._idle_s)
        self._sweep = loop.call_later(self._idle_s, self._drop_old) if self._count else None

    def _drop(self, before: float) -> None:
        for key, kept in list(self._kept.items()):
            while kept and (kept[0].idle_since <= before or not kept[0].is_reusable):
                kept.popleft().abort()
                self._count -= 1
            if not kept:
                del self._kept[key]
