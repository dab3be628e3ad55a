"""Reading an HTTP/1.1 answer from a connection that may lie, drip, or never end."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import NoReturn, cast

import httptools

from core.outbound.errors import BadResponse, ConnectFailed, OutboundError
from core.outbound.faults import is_reset

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_INTERIM = 8


class AnswerProtocol(asyncio.Protocol):
    """One answer at a time; what to do with it is for the subclass (`head_ended`, `body_part`, `answer_ended`, `failed`).

    Memory is bounded in every state: at most MAX_HEAD_BYTES may arrive without a byte of body. Exactly one of
    `answer_ended` and `failed` is called per answer. Times are `time.perf_counter()` seconds.
    """

    __slots__ = (
        "_fault", "_head_room", "_interim", "_is_head_request", "_parser", "_silent",
        "connected_at", "ended", "first_byte_at", "has_head", "headers", "is_reusable",
        "length", "status", "transport", "until_close",
    )  # fmt: skip

    def __init__(self, *, is_head_request: bool = False) -> None:
        self.transport: asyncio.Transport | None = None
        self.connected_at = 0.0
        self.expect_answer(is_head_request=is_head_request)

    # --- for subclasses ---
    def head_ended(self) -> None:
        """`status` and `headers` of the final answer are known."""

    def body_part(self, part: bytes) -> None:
        """A part of the body, without framing."""

    def answer_ended(self) -> None:
        """The answer is complete, as announced."""

    def failed(self, error: OutboundError) -> None:
        """The answer will not be completed."""

    # --- life of an answer ---
    def expect_answer(self, *, is_head_request: bool) -> None:
        """Make ready for the next answer on this connection."""
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._is_head_request = is_head_request
        self._head_room = MAX_HEAD_BYTES
        self._silent = 0
        self._interim = 0
        self._fault: OutboundError | None = None
        self.first_byte_at = 0.0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = self.ended = self.until_close = self.is_reusable = False
        self.length: int | None = None

    def fail(self, error: OutboundError) -> None:
        """End the answer with an error and drop the connection."""
        if self.ended:
            return
        self._finish()
        self.failed(error)
        self.abort()

    def abandon(self) -> None:
        """Drop the connection without telling anybody."""
        if not self.ended:
            self._finish()
        self.abort()

    def abort(self) -> None:
        """Close the connection now, whatever is still unsent."""
        if self.transport is not None:
            self.transport.abort()

    def _finish(self) -> None:
        self.ended = True
        self._parser = None  # it holds our methods: a cycle

    # --- asyncio ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast(asyncio.Transport, transport)
        self.connected_at = perf_counter()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._parser is None:
            self.is_reusable = False  # nobody asked for this
            return
        if not self.first_byte_at:
            self.first_byte_at = perf_counter()
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._parser_stopped(exc)
            return
        except httptools.HttpParserUpgrade:
            self.fail(BadResponse("the answer switches protocols without being asked"))
            return
        if self._silent > MAX_HEAD_BYTES:
            self.fail(BadResponse("the answer's headers are too large"))

    def _parser_stopped(self, exc: httptools.HttpParserError) -> None:
        if self.ended:
            self.is_reusable = False
        elif self._fault is not None:
            self.fail(self._fault)
        else:
            self.fail(BadResponse("the answer is not valid HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.is_reusable = False
        if self.ended:
            return
        if self.until_close and self.has_head and exc is None:
            self._end()
        elif isinstance(exc, OSError) and is_reset(exc) and not self.first_byte_at:
            self.fail(ConnectFailed("connection reset before an answer", "reset"))
        elif self.first_byte_at:
            self.fail(BadResponse("the connection ended before the answer was complete"))
        else:
            self.fail(BadResponse("the connection was closed without an answer"))

    # --- httptools ---
    def on_message_begin(self) -> None:
        """Called by the parser. A second answer in the bytes of the first one was not asked for: never keep that."""
        if self.ended:
            self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers too (which are counted and dropped)."""
        self._head_room -= len(name) + len(value) + 4
        if self._head_room < 0 or len(self.headers) >= MAX_HEADERS:
            self.stop(BadResponse("the answer's headers are too large"))
        if not self.has_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if self.ended or self._parser is None:
            raise ValueError("surplus answer")
        if self._parser.get_http_version() not in ("1.1", "1.0"):
            self.stop(BadResponse("the answer is not HTTP/1.1"))
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._skip_interim(status)
            return
        if not 200 <= status <= 599:
            self.stop(BadResponse("the answer's status is not one of HTTP"))
        self.status = status
        self._silent = 0
        self._read_framing()
        self.has_head = True
        self.head_ended()
        if self._is_head_request and not self.ended:
            self._end()

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._silent = 0
        if not self.ended:
            self.body_part(part)

    def on_message_complete(self) -> None:
        """Called by the parser, after interim answers too."""
        if self.has_head and not self.ended:
            self._end()

    def _end(self) -> None:
        parser = self._parser
        self.is_reusable = (
            parser is not None
            and parser.should_keep_alive()
            and not (self.until_close or self._is_head_request)
        )
        self._finish()
        self.answer_ended()

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        if status == 101 or self._interim > MAX_INTERIM:
            self.stop(BadResponse("the answer never gets beyond interim replies"))
        self.headers.clear()

    def _read_framing(self) -> None:
        """Refuse what could be read in two ways, and every encoding that hides the body's true size."""
        has_body = not (self._is_head_request or self.status in (204, 304))
        is_chunked = False
        for name, value in self.headers:
            if name == b"transfer-encoding":
                if is_chunked or value.strip().lower() != b"chunked":
                    self.stop(
                        BadResponse("the answer uses a transfer encoding that is not accepted")
                    )
                is_chunked = True
            elif name == b"content-length":
                self.length = int(value)
            elif has_body and name == b"content-encoding" and _is_compressed(value):
                self.stop(BadResponse("the answer is compressed though that was not asked for"))
        if not has_body:
            self.length = 0
        self.until_close = has_body and not is_chunked and self.length is None

    def stop(self, error: OutboundError) -> NoReturn:
        """Leave the parser from inside a callback and fail with `error`."""
        self._fault = error
        raise error


def _is_compressed(value: bytes) -> bool:
    return value.strip().lower() not in (b"", b"identity")
