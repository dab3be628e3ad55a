"""The doorbell of the other processes, over the channel layer. Imported only where `REDIS_URL` is set.

A thread of its own with a small event loop speaks to Redis: whoever commits an event never waits for it, and processes
without an event loop can ring too. Losing it loses nothing, readers look by themselves every 250 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

from channels.layers import get_channel_layer

from events import doorbell

logger = logging.getLogger("events.relay")

GROUP = "sofiia.events"
#: One message at most in this time, however many transactions ring.
COALESCE_S = 0.02
#: A message to ourselves: a link that is silently dead is found by its absence.
CHECK_EVERY_S, SILENT_AFTER_S = 5.0, 12.0
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
#: Lines a minute about a Redis that is down, of ours and of the channel layer's own each.
MAX_LINES = 4


class Relay:
    """Rings and hears the other processes' doorbells."""

    def __init__(self) -> None:
        self.heard = 0
        self._me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()  # belongs to no loop until somebody waits for it
        self._running: list[Future[None]] = []
        self._lock = threading.Lock()
        self._listens = False

    def announce(self) -> None:
        """Ring the other processes soon. Safe from any thread; never waits, never raises."""
        with contextlib.suppress(RuntimeError):
            self._started().call_soon_threadsafe(self._rung.set)

    def listen(self) -> None:
        """Ring this process's own doorbell whenever another one rings. Safe from any thread, and to call again."""
        loop = self._started()
        with self._lock:
            if self._listens:
                return
            self._listens = True
        self._keep(_forever(self._hear), loop)
        self._keep(_forever(self._check), loop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                logging.getLogger("channels_redis.pubsub").addFilter(_AtMost(MAX_LINES))
                logger.addFilter(_AtMost(MAX_LINES))
                self._keep(_forever(self._send), self._loop)
                threading.Thread(
                    target=self._loop.run_forever, name="events-relay", daemon=True
                ).start()
            return self._loop

    def _keep(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        """Run `work` for ever; the loop itself holds tasks weakly."""
        self._running.append(asyncio.run_coroutine_threadsafe(work, loop))

    async def _send(self) -> None:
        """Pass rings on, a burst as one message."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            await self._message("ring")
            await asyncio.sleep(COALESCE_S)

    async def _hear(self) -> None:
        """Raises TimeoutError when not even our own checks come back: the link is dead, though nobody said so."""
        layer = _layer()
        await layer.flush()  # whatever is left of a link that broke
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        doorbell.ring_here()  # for what was rung while nobody listened
        while True:
            async with asyncio.timeout(SILENT_AFTER_S):
                message = await layer.receive(channel)
            self.heard += 1
            if message["from"] != self._me and message["what"] == "ring":
                doorbell.ring_here()

    async def _check(self) -> None:
        """Speak to ourselves, so that silence means something."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await self._message("check")

    async def _message(self, what: str) -> None:
        message = {"type": "events.ring", "from": self._me, "what": what}
        async with asyncio.timeout(5):
            await _layer().group_send(GROUP, message)


def _layer() -> Any:
    return get_channel_layer()


async def _forever(work: Any) -> None:
    """Begin again, after a pause, whenever Redis is away."""
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await work()
        except Exception as exc:
            failures = 1 if time.monotonic() - began > 60 else failures + 1
            logger.warning("the doorbell over Redis is silent: %s", type(exc).__name__)
        await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1])


class _AtMost(logging.Filter):
    """Lets a few records a minute through."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self._minute = 0
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count <= self._lines


_relay = Relay()


def get_relay() -> Relay:
    """The relay of this process."""
    return _relay
