"""One client's connection to a simulated node: reads requests, and can answer them well or badly."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
import orjson

_MAX_BODY = 1024 * 1024


@dataclass(slots=True)
class Request:
    """What the client asked."""

    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])


Answer = Callable[["Connection", Request], None]


class Connection(asyncio.Protocol):
    """Parses requests and hands each to `answer`, which replies now, later, wrongly or never."""

    def __init__(self, answer: Answer, peers: set[Connection]) -> None:
        self._answer = answer
        self._peers = peers
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._keep_alive = True

    # --- asyncio ---------------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._peers.discard(self)
        self._writable.set()
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.reply(400, {"detail": "not HTTP"})
            self.close()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- httptools -------------------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self._request = Request()

    def on_url(self, url: bytes) -> None:
        self._request.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, data: bytes) -> None:
        if len(self._request.body) < _MAX_BODY:
            self._request.body += data

    def on_message_complete(self) -> None:
        self._request.method = self._parser.get_method().decode("latin-1")
        self._keep_alive = self._parser.should_keep_alive()
        self._answer(self, self._request)

    # --- answering -------------------------------------------------------------------------------------------------
    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None

    def reply(
        self, status: int, body: Any, headers: Sequence[tuple[str, str]] = (), kind: str = ""
    ) -> None:
        """A well-formed answer: `body` as it is where it is bytes or text, else as JSON."""
        if isinstance(body, str):
            body, kind = body.encode(), kind or "text/plain; charset=utf-8"
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"content-type: {kind or 'application/json'}",
            f"content-length: {len(raw)}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        if not self._keep_alive:
            lines.append("connection: close")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw)
        if not self._keep_alive:
            self.close()

    def reply_after(self, delay_s: float, status: int, body: Any) -> None:
        """As `reply`, in a while; nothing happens where the client has gone by then."""
        asyncio.get_running_loop().call_later(delay_s, self.reply, status, body)

    def send(self, data: bytes) -> None:
        """These bytes, whatever they mean."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def flush(self) -> None:
        """Wait until the client reads again."""
        await self._writable.wait()

    def perform(self, act: Coroutine[Any, Any, None]) -> None:
        """Run a longer answer until it ends or the client goes."""
        task = asyncio.get_running_loop().create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End the connection after what was sent."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """End the connection at once, with a RST."""
        if self._transport is None:
            return
        descriptor = self._transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
