"""A connection that hands its answer over part by part, holds the other side back, and can be used again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable

from core.outbound.errors import BodyTooLarge, OutboundError, RequestRefused
from core.outbound.protocol import AnswerProtocol

HIGH_WATER = 64 * 1024


class StreamConnection(AnswerProtocol):
    """Keeps at most HIGH_WATER bytes (and one read of the loop) for a reader who is not there."""

    __slots__ = (
        "_blocked",
        "_held",
        "_loop",
        "_parts",
        "_paused",
        "_room",
        "_sender",
        "_waiter",
        "address",
        "error",
        "head",
        "idle_since",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.address = ""
        self.idle_since = 0.0
        self._blocked: asyncio.Future[None] | None = None

    def begin(
        self, head: bytes, body: bytes | AsyncIterable[bytes], length: int | None, room: int | None
    ) -> None:
        """Send a request; `head` (the future) is done when the answer's status and headers, or an error, are there."""
        self.expect_answer(is_head_request=head.startswith(b"HEAD "))
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._room = room
        self.error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self.head: asyncio.Future[None] = self._loop.create_future()
        assert self.transport is not None
        if isinstance(body, bytes):
            self.transport.write(head + body)
            return
        self.transport.write(head)
        self._sender = self._loop.create_task(self._send(body, length))
        self._sender.add_done_callback(self._sent)

    @property
    def is_sent(self) -> bool:
        """Whether the request's body has been handed to the network."""
        return self._sender is None or self._sender.done()

    async def _send(self, body: AsyncIterable[bytes], length: int | None) -> None:
        assert self.transport is not None
        left = length
        async for part in body:
            if not part:
                continue
            if left is not None:
                left -= len(part)
                if left < 0:
                    break
            self.transport.write(part if left is not None else b"%x\r\n%s\r\n" % (len(part), part))
            if self._blocked is not None:
                await self._blocked
        if left:
            raise RequestRefused("the request body is not as long as announced")
        if left is None:
            self.transport.write(b"0\r\n\r\n")

    def _sent(self, task: asyncio.Task[None]) -> None:
        """A body that breaks off ends the exchange; its own error is what the caller sees."""
        if task.cancelled() or (exc := task.exception()) is None or self.ended:
            return
        self.error = exc
        self.abandon()
        self._head_done()
        self._wake()

    def _head_done(self) -> None:
        if not self.head.done():
            self.head.set_result(None)

    # --- reading ---
    @property
    def is_ready(self) -> bool:
        """Whether `next_part` will not wait."""
        return bool(self._parts) or self.ended

    async def next_part(self) -> bytes:
        """The next part of the body, empty at its end. Raises what went wrong after everything before it was read."""
        if not self._parts and not self.ended:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._parts:
            part = self._parts.popleft()
            self._held -= len(part)
            self._let_flow()
            return part
        if self.error is not None:
            raise self.error
        return b""

    def _let_flow(self) -> None:
        if self._paused and self._held <= HIGH_WATER // 2 and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def release(self) -> bool:
        """End the exchange; whether the connection may carry another one. It is closed if not."""
        is_clean = self.is_reusable and self.is_sent and not self._parts and self.error is None
        if self._sender is not None:
            self._sender.cancel()
        if not is_clean:
            self.abandon()
        return is_clean

    # --- AnswerProtocol ---
    def head_ended(self) -> None:
        """Refuse a body that is announced as too large before it comes."""
        if self._room is not None and self.length is not None and self.length > self._room:
            self.stop(BodyTooLarge("the answer is larger than allowed"))
        self._head_done()

    def body_part(self, part: bytes) -> None:
        """Queue, and hold the other side back when the reader is slow."""
        if self._room is not None:
            self._room -= len(part)
            if self._room < 0:
                self.stop(BodyTooLarge("the answer is larger than allowed"))
        self._parts.append(part)
        self._held += len(part)
        if self._held > HIGH_WATER and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def answer_ended(self) -> None:
        """Let the connection be watched again: its end must be noticed while it is idle."""
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        self._wake()

    def failed(self, error: OutboundError) -> None:
        """Tell whoever waits."""
        self.error = error
        self._head_done()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- asyncio, writing ---
    def pause_writing(self) -> None:
        """Called by the loop when the other side takes the request slowly."""
        if self._blocked is None:
            self._blocked = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by the loop."""
        if self._blocked is not None and not self._blocked.done():
            self._blocked.set_result(None)
        self._blocked = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.resume_writing()
        super().connection_lost(exc)
