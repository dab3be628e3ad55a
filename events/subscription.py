"""One client's place in the log. Replaying, catching up and going along live are the same: a cursor that moves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from core.access.principals import Principal
from core.metrics import EVENTS_DELIVERED
from events import frames as controls
from events.connections import Connection
from events.filters import Filter
from events.frames import Frame
from events.stepping import step

if TYPE_CHECKING:
    from events.hub import Hub

logger = logging.getLogger("events.stream")


class Subscription:
    """Ids reach the client strictly ascending: `cursor` only grows, and only frames after it are given.

    At rest (`task` is None) the client has all there is and the hub gives it new frames itself. Whatever would wait
    becomes a task, which then also catches up with what has come meanwhile.
    """

    __slots__ = (
        "_hub", "address", "blocked_at", "connection", "cursor", "ended", "filter", "principal", "shown_at", "task",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        connection: Connection,
        *,
        principal: Principal,
        address: str,
        filter: Filter,
        cursor: int,
    ) -> None:
        self._hub = hub
        self.connection = connection
        self.principal = principal
        self.address = address
        self.filter = filter
        self.cursor = cursor
        self.ended = False
        self.task: asyncio.Task[None] | None = None
        self.blocked_at: float | None = None  # since when a send waits
        self.shown_at = time.monotonic()  # when the client last learned its position

    def start(self) -> None:
        """Begin to send what is after the cursor."""
        self._spawn(None)

    def take(self, fresh: Sequence[Frame]) -> int:
        """Give the next frames of the log to a client at rest; returns how many were handed over."""
        wanted = self.filter
        everything = wanted.passes_all
        give = self.connection.give
        given = 0
        for frame in fresh:
            if frame.id <= self.cursor:
                continue
            self.cursor = frame.id
            if everything or wanted.wants(frame):
                given += 1
                sending = give(frame)
                if sending is not None and not self._offer(sending):
                    break
        if given and everything:
            self.shown_at = time.monotonic()
        return given

    def show_cursor(self) -> None:
        """Tell a client at rest how far the log has been considered for it."""
        self.shown_at = time.monotonic()
        self._offer(self.connection.tell(controls.cursor(self.cursor)))

    @property
    def resume_from(self) -> int:
        """The id after which a client that is cut off now should go on."""
        return self.cursor if self.task is None else max(self.cursor - 1, 0)

    def stop(self) -> None:
        """Send nothing more."""
        self.ended = True
        if self.task is not None:
            self.task.cancel()

    def _offer(self, sending: Awaitable[None]) -> bool:
        """Send without waiting; where that is not possible a task goes on. False: do not offer more now."""
        try:
            rest = step(sending)
        except Exception:
            self._lost()
            return False
        if rest is None:
            return True
        self._spawn(rest)
        return False

    def _spawn(self, rest: Awaitable[None] | None) -> None:
        self.task = asyncio.get_running_loop().create_task(self._work(rest))

    def _lost(self) -> None:
        """The connection is gone; its own code hears of it from the server."""
        logger.debug("connection lost", exc_info=True)
        self._hub.leave(self)

    async def _work(self, rest: Awaitable[None] | None) -> None:
        try:
            if rest is not None:
                await self._send(rest)
            await self._catch_up()
            self.task = None
        except asyncio.CancelledError:
            raise
        except Exception:
            self._lost()

    async def _send(self, sending: Awaitable[None]) -> None:
        self.blocked_at = time.monotonic()
        await sending
        self.blocked_at = None

    async def _catch_up(self) -> None:
        """Go through everything after the cursor until nothing is left."""
        while True:
            page = await self._hub.next_page(self.cursor)
            if self.ended:
                return
            if page.gap_until > self.cursor:
                await self._send(self.connection.tell(controls.gap(page.oldest_id)))
            if not page.frames:
                return  # nothing was awaited since: from here on the hub gives what is new
            for frame in page.frames:
                self.cursor = frame.id
                if self.filter.wants(frame):
                    sending = self.connection.give(frame)
                    if sending is not None:
                        await self._send(sending)
                    EVENTS_DELIVERED.inc()
            if self.filter.passes_all:
                self.shown_at = time.monotonic()
            await asyncio.sleep(0)
