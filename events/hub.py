"""One per process: reads new events once, encodes each once, and moves every client's cursor along.

The doorbell only says *when* to look; without it the hub looks every 250 ms. What is read comes from the table by id
after the last one seen, and ids are given in commit order, so nothing is missed, doubled or out of order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.db import Error

from core.access.authenticate import still_valid
from core.access.keys import KEYS
from core.access.origins import is_loopback_address
from core.metrics import EVENTS_DELIVERED, STREAM_CLIENTS, STREAM_DROPPED
from core.problems import Problem
from events import doorbell, queries
from events.frames import Frame
from events.reader import Reader
from events.ring import Ring
from events.subscription import Subscription

logger = logging.getLogger("events.hub")

LOOK_EVERY_S = 0.25
CURSOR_EVERY_S = 15.0
REVALIDATE_EVERY_S = 2.0
#: A client whose connection takes nothing for this long is closed; others never wait for it.
SEND_LIMIT_S = 10.0
#: Sooner, when it is that many events behind already.
BEHIND_LIMIT, BEHIND_LIMIT_S = 20_000, 2.0
CLOSE_LIMIT_S = 1.0
#: What is left of a closed connection after this is cut off.
LINGER_S = 15.0
PAGE = 200
#: Read when the first client comes, so that a crowd that reconnects is served from memory.
WARM = 500
#: Sends in a row before the loop gets a turn.
SLICE = 1_000
MAX_STREAMS = 20_000
#: Of one address; programs on this machine, and so a proxy in front of it, are not counted.
MAX_STREAMS_PER_ADDRESS = 500
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0)

REVOKED, TOO_SLOW, RESTARTING, TOO_MANY = 4401, 4408, 1012, 1013


class HubRefusal(Exception):
    """No further stream is taken; the text says why and the code how to close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FramePage:
    """The next frames after a cursor. `gap_until`: events up to here are no longer kept."""

    frames: Sequence[Frame]
    gap_until: int = 0

    @property
    def oldest_id(self) -> int:
        return self.frames[0].id if self.frames else self.gap_until + 1


class Hub:
    """See the module. Belongs to one event loop; everything but `clients` is called from it."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._per_address: Counter[str] = Counter()
        self._ring: Ring | None = None
        self._warm = asyncio.Event()
        self._wake = asyncio.Event()
        self._live = Reader("events-live")
        self._pages = Reader("events-pages")
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._shut = False
        self._is_blind = False  # the database does not answer
        self._revalidated_at = 0.0
        self._judged_through = 0  # every audited change up to this id has been looked at

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    # --- clients ---------------------------------------------------------------------------------------------------

    def check_room(self, address: str) -> None:
        """Raises HubRefusal when a stream from this address is one too many, or the console is stopping."""
        if self._shut:
            raise HubRefusal(RESTARTING, "the console is restarting")
        if len(self._subscriptions) >= MAX_STREAMS:
            raise HubRefusal(TOO_MANY, "too many streams")
        if self._per_address[address] >= MAX_STREAMS_PER_ADDRESS and not is_loopback_address(
            address
        ):
            raise HubRefusal(TOO_MANY, "too many streams from this address")

    async def head(self) -> queries.Head:
        """The ends of the log. Raises a database error."""
        return await self._pages.run(queries.head)

    def join(self, subscription: Subscription) -> None:
        """Serve the subscription from its cursor on. Raises HubRefusal."""
        self.check_room(subscription.address)
        self._subscriptions.add(subscription)
        self._per_address[subscription.address] += 1
        STREAM_CLIENTS.labels(subscription.connection.kind).inc()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        subscription.start()

    def leave(self, subscription: Subscription) -> None:
        """Forget the subscription. May be called again."""
        subscription.stop()
        if subscription not in self._subscriptions:
            return
        self._subscriptions.discard(subscription)
        STREAM_CLIENTS.labels(subscription.connection.kind).dec()
        self._per_address[subscription.address] -= 1
        if not self._per_address[subscription.address]:
            del self._per_address[subscription.address]
        if not self._subscriptions:
            self._wake.set()

    def end(self, subscription: Subscription, code: int, reason: str) -> None:
        """Close a client's connection, without waiting for it."""
        if subscription not in self._subscriptions:
            return
        self.leave(subscription)
        task = asyncio.get_running_loop().create_task(_close(subscription, code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self, code: int = RESTARTING) -> None:
        """End every stream, telling each client from where to resume; take no more."""
        self._shut = True
        for subscription in tuple(self._subscriptions):
            self.end(
                subscription, code, f"restarting; resume with since={subscription.resume_from}"
            )
        if self._closing:
            await asyncio.wait(self._closing, timeout=2 * CLOSE_LIMIT_S)
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_LIMIT_S)

    async def next_page(self, cursor: int) -> FramePage:
        """What comes after the cursor: from memory, or else from the table. Database errors are waited out.

        Whoever lost the right to read in a change that the page tells of is closed before the page is given.
        """
        await self._warm.wait()
        for attempt in range(1_000_000):
            near = self._ring.after(cursor, PAGE) if self._ring else None
            try:
                page = (
                    await self._pages.run(_page_from_table, cursor)
                    if near is None
                    else FramePage(near)
                )
                await self._judge_changes(page.frames)
                return page
            except (Error, Problem):
                logger.debug("page not read", exc_info=True)
                await asyncio.sleep(_BACKOFF_S[min(attempt, 3)])
        raise AssertionError("unreachable")

    # --- looking ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Look, deliver, look after the clients, sleep: while there are any."""
        loop = asyncio.get_running_loop()
        unlisten = doorbell.listen(lambda: _ring_safely(loop, self._wake))
        failures = 0
        try:
            while self._subscriptions:
                self._wake.clear()
                failures = 0 if await self._look() else failures + 1
                self._tend()
                if failures:
                    await asyncio.sleep(_BACKOFF_S[min(failures, 4) - 1])
                elif not self._wake.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
        finally:
            unlisten()
            self._task = self._ring = None
            self._warm.clear()
            self._live.close()
            self._pages.close()

    async def _look(self) -> bool:
        """Read and deliver everything new; False when the database did not answer."""
        try:
            if self._ring is None:
                self._ring = await self._live.run(_warm_ring)
                self._warm.set()
            while fresh := await self._live.run(_frames_after, self._ring.top):
                await self._judge_changes(fresh)
                before = self._ring.top
                self._ring.extend(fresh)
                await self._fan_out(before, fresh)
                if len(fresh) < PAGE:
                    break
            if time.monotonic() - self._revalidated_at > REVALIDATE_EVERY_S:
                await self._revalidate()
        except (Error, Problem) as exc:  # still_valid tells a database that is away as a Problem
            if not self._is_blind:
                logger.warning("events cannot be read, trying on: %s", type(exc).__name__)
            self._is_blind = True
            return False
        except Exception:  # the loop that everybody depends on must not end
            logger.exception("looking for events failed")
            return False
        self._is_blind = False
        return True

    async def _fan_out(self, before: int, fresh: Sequence[Frame]) -> None:
        given = since_pause = 0
        for subscription in tuple(self._subscriptions):
            if subscription.task is not None or subscription.ended or subscription.cursor < before:
                continue
            count = subscription.take(fresh)
            given += count
            since_pause += count
            if since_pause >= SLICE:
                since_pause = 0
                await asyncio.sleep(0)
        EVENTS_DELIVERED.inc(given)

    def _tend(self) -> None:
        """Drop who does not read; tell the quiet ones where they are."""
        now = time.monotonic()
        for subscription in tuple(self._subscriptions):
            if subscription.blocked_at is not None:
                self._judge(subscription, now - subscription.blocked_at)
            elif subscription.task is None and now - subscription.shown_at >= CURSOR_EVERY_S:
                subscription.show_cursor()

    def _judge(self, subscription: Subscription, blocked_s: float) -> None:
        top = self._ring.top if self._ring else 0
        far_behind = top - subscription.cursor > BEHIND_LIMIT and blocked_s > BEHIND_LIMIT_S
        if far_behind or blocked_s > SEND_LIMIT_S:
            STREAM_DROPPED.labels("slow").inc()
            reason = f"nothing is read here; resume with since={subscription.resume_from}"
            self.end(subscription, TOO_SLOW, reason)

    async def _judge_changes(self, frames: Sequence[Frame]) -> None:
        """A revocation is audited: nothing after it goes out before everybody has been looked at anew."""
        if any(frame.type == "audit" and frame.id > self._judged_through for frame in frames):
            KEYS.forget()
            await self._revalidate()

    async def _revalidate(self) -> None:
        """Close every stream whose key, session, user or right no longer holds."""
        self._revalidated_at = time.monotonic()
        newest = await self._live.run(queries.last_id)
        subscriptions = tuple(self._subscriptions)
        principals = [subscription.principal for subscription in subscriptions]
        for index in await self._live.run(still_valid, principals):
            STREAM_DROPPED.labels("revoked").inc()
            self.end(subscriptions[index], REVOKED, "these credentials are no longer valid")
        self._judged_through = newest


async def _close(subscription: Subscription, code: int, reason: str) -> None:
    """Politely for a moment, then by force: a peer that does not read would hold the socket for ever."""
    connection = subscription.connection
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await connection.close(code, reason)
    except Exception:
        connection.abort()
    else:
        asyncio.get_running_loop().call_later(LINGER_S, connection.abort)


def _warm_ring() -> Ring:
    """The newest events, so that clients who come back find them in memory."""
    ring = Ring(queries.floor_of_newest(WARM))
    while fresh := _frames_after(ring.top):
        ring.extend(fresh)
    return ring


def _frames_after(cursor: int) -> list[Frame]:
    return [Frame(row) for row in queries.rows_after(cursor, PAGE)[0]]


def _page_from_table(cursor: int) -> FramePage:
    rows, pruned_through = queries.rows_after(cursor, PAGE)
    frames = [Frame(row) for row in rows]
    return FramePage(frames, gap_until=pruned_through)


def _ring_safely(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to wake
        loop.call_soon_threadsafe(wake.set)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop; elsewhere the one that this process serves clients with."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return max(_hubs.values(), key=lambda hub: hub.clients, default=Hub())
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
