"""uvicorn's HTTP protocol with the limits that it lacks: header bytes, deadlines, connections.

Everything here happens before a request exists, so it cannot be done in the application.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections import Counter
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.problems import CONTENT_TYPE, Problem
from sofiia_site.edge import SECURITY_HEADERS

MAX_HEADER_BYTES = 64 * 1024
MAX_HEADERS = 100
#: From the first byte (or the connection) to the end of the headers.
HEADER_DEADLINE_S = 10.0
#: From the end of the headers to the end of the body.
BODY_DEADLINE_S = 60.0
MAX_CONNECTIONS = 20_000
#: A front proxy sits on loopback and speaks for everybody, so loopback is not counted.
MAX_CONNECTIONS_PER_ADDRESS = 500

_open: Counter[str] = Counter()

_TOO_LARGE = Problem(431, "headers_too_large", "The request's headers are too large or too many.")
_TOO_SLOW = Problem(408, "too_slow", "The request did not arrive in time.")
_TOO_MANY = Problem(
    503, "too_many_connections", "Too many connections.", headers={"Retry-After": "5"}
)
_MALFORMED = Problem(400, "bad_request", "The request is malformed.")


class GuardedHttpProtocol(HttpToolsProtocol):
    """One connection. Breaking a limit is answered with a problem where an answer can still be given, then closed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._headers_done = False
        self._waiting_bytes = 0
        self._address = _counted_address(self.client)
        self._counted = True
        _open[self._address] += 1
        if _open.total() > MAX_CONNECTIONS or (
            self._address and _open[self._address] > MAX_CONNECTIONS_PER_ADDRESS
        ):
            self._refuse(_TOO_MANY)
            return
        self._arm(HEADER_DEADLINE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._uncount()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._headers_done:
            self._waiting_bytes += len(data)
            if self._timer is None:
                self._arm(HEADER_DEADLINE_S)
        super().data_received(data)
        if not self._headers_done and self._waiting_bytes > MAX_HEADER_BYTES:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._headers_done = True
        self._waiting_bytes = 0
        self._disarm()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
            self._refuse(_TOO_LARGE)
            return
        if not self.parser.should_upgrade():
            self._arm(BODY_DEADLINE_S)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._disarm()
        self._headers_done = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._disarm()
        self._uncount()  # the hub has its own caps, and this protocol hears no more of the connection
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(_MALFORMED)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if (
            self.cycle is not None
            and self.cycle.response_started
            and not self.cycle.response_complete
        ):
            self.transport.abort()
        else:
            self._refuse(_TOO_SLOW)

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            _open[self._address] -= 1
            if _open[self._address] <= 0:
                del _open[self._address]

    def _refuse(self, problem: Problem) -> None:
        """Answer, if the transport still takes it, and close."""
        if self.transport.is_closing():
            return
        self._disarm()
        self.transport.write(_reply(problem))
        self.transport.close()


def _counted_address(client: Any) -> str:
    """The address that is counted; empty for loopback."""
    try:
        return "" if ipaddress.ip_address(client[0]).is_loopback else str(client[0])
    except (TypeError, ValueError):
        return ""


def _reply(problem: Problem) -> bytes:
    request_id = secrets.token_hex(10)
    body = orjson.dumps(problem.body(request_id))
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.encode()),
        *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
        *SECURITY_HEADERS,
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (
        problem.status, str(problem.body("")["title"]).encode(), lines, body,
    )  # fmt: skip
