"""The engine: one request, one answer, one deadline over everything, on an address that the guard has judged."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from time import perf_counter

from core.outbound import urls
from core.outbound.connect import checked_addresses, dial
from core.outbound.errors import BodyTooLarge, DeadlineExceeded, OutboundError, Phase
from core.outbound.guard import Guard, get_guard
from core.outbound.protocol import AnswerProtocol
from core.outbound.purpose import Purpose
from core.outbound.request import Headers, encode_head


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it came: no redirect followed, nothing decoded. Header names are lower case.

    The times count from the first connect attempt (a name's resolution is not in them) and stop when the bytes came in,
    not when the caller was woken.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    address: str
    connect_ms: float
    first_byte_ms: float
    total_ms: float

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        key = name.lower().encode("latin-1", "replace")
        return next((v.decode("latin-1") for k, v in self.headers if k == key), None)


async def fetch(
    method: str,
    url: str,
    *,
    purpose: Purpose,
    headers: Headers = (),
    body: bytes = b"",
    deadline_s: float,
    max_bytes: int,
    guard: Guard | None = None,
    tls: ssl.SSLContext | None = None,
) -> Response:
    """Send one request on a connection of its own and return the whole answer, whatever its status.

    `deadline_s` covers everything from here on, the resolution of the name included; `max_bytes` the body as sent.
    `tls` replaces the machine's trusted authorities. Raises OutboundError only: PolicyRefused (UrlRefused, RequestRefused),
    NameUnresolved, ConnectFailed, TlsFailed, DeadlineExceeded, BadResponse (BodyTooLarge) or LocalFault.
    """
    target = urls.parse(url)
    request = encode_head(method, target, headers, len(body)) + body
    exchange: _Exchange | None = None
    phase: Phase = "resolve"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    try:
        async with asyncio.timeout_at(deadline):
            addresses = await checked_addresses(target, purpose, guard or get_guard())
            phase = "connect"
            started = perf_counter()
            exchange, address = await dial(
                target,
                addresses,
                lambda: _Exchange(loop, request, method == "HEAD", max_bytes),
                tls,
                deadline,
            )
            phase = "first_byte"
            await exchange.answer
            if exchange.error is not None:
                raise exchange.error
    except TimeoutError as exc:
        if exchange is not None and exchange.first_byte_at:
            phase = "body"
        raise DeadlineExceeded(phase, deadline_s) from exc
    finally:
        if exchange is not None:
            exchange.abandon()
    return exchange.response(address, started)


class _Exchange(AnswerProtocol):
    """Sends the request as soon as there is a connection and collects the answer up to a number of bytes."""

    __slots__ = ("_parts", "_request", "_room", "answer", "ended_at", "error")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, request: bytes, is_head_request: bool, room: int
    ) -> None:
        super().__init__(is_head_request=is_head_request)
        self._request = request
        self._room = room
        self._parts: list[bytes] = []
        self.ended_at = 0.0
        self.error: OutboundError | None = None
        self.answer: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop. Writing here saves the request one turn of the loop."""
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.write(self._request)

    def head_ended(self) -> None:
        """Refuse a body that is announced as too large before it comes."""
        if self.length is not None and self.length > self._room:
            self.stop(BodyTooLarge(f"the answer is larger than {self._room} bytes"))

    def body_part(self, part: bytes) -> None:
        """Collect."""
        self._room -= len(part)
        if self._room < 0:
            self.stop(BodyTooLarge("the answer is larger than allowed"))
        self._parts.append(part)

    def answer_ended(self) -> None:
        """Wake the caller."""
        self.ended_at = perf_counter()
        if not self.answer.done():
            self.answer.set_result(None)

    def failed(self, error: OutboundError) -> None:
        """Wake the caller with the error."""
        self.error = error
        self.answer_ended()

    def response(self, address: str, started: float) -> Response:
        """The answer, once it has ended."""
        return Response(
            status=self.status,
            headers=self.headers,
            body=b"".join(self._parts),
            address=address,
            connect_ms=(self.connected_at - started) * 1000,
            first_byte_ms=(self.first_byte_at - started) * 1000,
            total_ms=(self.ended_at - started) * 1000,
        )
