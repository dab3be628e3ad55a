"""The engine part by part: status and headers first, then the body as it comes, with back-pressure both ways."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from types import TracebackType

from core.outbound import urls
from core.outbound.connect import checked_addresses, dial
from core.outbound.connection import StreamConnection
from core.outbound.errors import (
    BadResponse,
    ConnectFailed,
    DeadlineExceeded,
    Phase,
    PolicyRefused,
)
from core.outbound.guard import Guard, get_guard
from core.outbound.pool import Pool
from core.outbound.purpose import Purpose
from core.outbound.request import Headers, encode_head
from core.outbound.urls import Target

#: Requests that may be sent twice, so the only ones that go out on a used connection.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds; None = no limit. `max_bytes` counts the body as sent.

    `total_s` covers everything, the resolution of the name and the whole body included; `head_s` ends with the answer's
    headers; `idle_s` is the longest pause between two parts of the body.
    """

    total_s: float | None
    head_s: float | None = None
    idle_s: float | None = None
    max_bytes: int | None = None


class Stream:
    """An answer whose body is still coming. Read `parts` once, and `close` in any case (or use `async with`)."""

    def __init__(
        self, connection: StreamConnection, call: _Call, pool: Pool | None, deadline: float | None
    ) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self.address = connection.address
        self.content_length = connection.length
        self._connection: StreamConnection | None = connection
        self._call = call
        self._pool = pool
        self._deadline = deadline

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises BadResponse, BodyTooLarge or DeadlineExceeded where it breaks off."""
        while self._connection is not None:
            part = await self._next(self._connection)
            if not part:
                return
            yield part

    async def _next(self, connection: StreamConnection) -> bytes:
        if connection.is_ready:
            return await connection.next_part()
        now = asyncio.get_running_loop().time()
        idle_s = self._call.limits.idle_s
        idle_end = None if idle_s is None else now + idle_s
        end = _earliest(self._deadline, idle_end)
        try:
            async with asyncio.timeout_at(end):
                return await connection.next_part()
        except TimeoutError as exc:
            is_idle = end == idle_end
            raise DeadlineExceeded(
                "body", (idle_s if is_idle else self._call.limits.total_s) or 0
            ) from exc

    def close(self) -> None:
        """Give the connection back, or drop it where the answer was not read to its end. May be called again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.release() and self._pool is not None:
            self._pool.put(self._call.key, connection)
        else:
            connection.abandon()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(slots=True)
class _Call:
    """One request on its way."""

    target: Target
    purpose: Purpose
    guard: Guard
    tls: ssl.SSLContext | None
    head: bytes
    body: bytes | AsyncIterable[bytes]
    length: int | None
    limits: Limits
    phase: Phase = "resolve"

    @property
    def key(self) -> tuple[str, ssl.SSLContext | None]:
        """What connections are shared by."""
        return self.target.origin, self.tls


async def open_stream(
    method: str,
    url: str,
    *,
    purpose: Purpose,
    limits: Limits,
    headers: Headers = (),
    body: bytes | AsyncIterable[bytes] = b"",
    length: int | None = None,
    pool: Pool | None = None,
    guard: Guard | None = None,
    tls: ssl.SSLContext | None = None,
) -> Stream:
    """Send a request and return when the answer's status and headers are there.

    A `body` that comes in parts is sent as it comes, as `length` bytes or else chunked; an error that it raises is raised
    here. With a `pool`, connections are kept: a request that may be repeated can use one of them, and is repeated once on a
    new connection when the kept one turns out dead. Without one the connection is closed afterwards.
    Raises the errors of `engine.fetch`.
    """
    target = urls.parse(url)
    size = len(body) if isinstance(body, bytes) else length
    head = encode_head(method, target, headers, size, keep_alive=pool is not None)
    call = _Call(target, purpose, guard or get_guard(), tls, head, body, length, limits)
    now = asyncio.get_running_loop().time()
    deadline = None if limits.total_s is None else now + limits.total_s
    head_end = None if limits.head_s is None else now + limits.head_s
    end = _earliest(deadline, head_end)
    try:
        async with asyncio.timeout_at(end):
            connection = await _send(call, _usable(pool, method, body), end)
    except TimeoutError as exc:
        total = limits.head_s if end == head_end else limits.total_s
        raise DeadlineExceeded(call.phase, total or 0) from exc
    return Stream(connection, call, pool, deadline)


def _earliest(first: float | None, second: float | None) -> float | None:
    return min((end for end in (first, second) if end is not None), default=None)


def _usable(pool: Pool | None, method: str, body: bytes | AsyncIterable[bytes]) -> Pool | None:
    return pool if method in _IDEMPOTENT and isinstance(body, bytes) else None


async def _send(call: _Call, pool: Pool | None, end: float | None) -> StreamConnection:
    kept = None if pool is None else _kept(call, pool)
    if kept is not None:
        try:
            return await _ask(call, kept)
        except (ConnectFailed, BadResponse):
            if kept.first_byte_at:
                raise
    addresses = await checked_addresses(call.target, call.purpose, call.guard)
    call.phase = "connect"
    loop = asyncio.get_running_loop()
    connection, address = await dial(
        call.target, addresses, lambda: StreamConnection(loop), call.tls, end
    )
    connection.address = address
    return await _ask(call, connection)


def _kept(call: _Call, pool: Pool) -> StreamConnection | None:
    """A kept connection, judged again: the policy may have changed since it was opened."""
    connection = pool.take(call.key)
    if connection is None:
        return None
    target = call.target
    try:
        call.guard.check_address(
            call.purpose, target.scheme, target.host, connection.address, target.port
        )
    except PolicyRefused:
        connection.abort()
        raise
    return connection


async def _ask(call: _Call, connection: StreamConnection) -> StreamConnection:
    call.phase = "first_byte"
    connection.begin(call.head, call.body, call.length, call.limits.max_bytes)
    try:
        await connection.head
        if connection.error is not None:
            raise connection.error
    except BaseException:
        call.phase = "first_byte" if connection.is_sent else "send"
        connection.release()
        connection.abandon()
        raise
    return connection
