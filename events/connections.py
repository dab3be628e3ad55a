"""What the hub knows of a client's connection: how to give it a frame, and how to get rid of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson

from events.frames import Frame

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Connection(Protocol):
    """A WebSocket or a stream of server-sent events."""

    kind: str

    def give(self, frame: Frame) -> Awaitable[None] | None:
        """Hand over a stored event. None: done already."""

    def tell(self, control: dict[str, Any]) -> Awaitable[None]:
        """Hand over a frame that is not in the log."""

    def close(self, code: int, reason: str) -> Awaitable[None]:
        """End the connection politely."""

    def abort(self) -> None:
        """End it now, whatever is still unsent. Does nothing where the server gives no way."""


class WebSocketConnection:
    """The client of `/ws/events`."""

    __slots__ = ("_send", "_server")
    kind = "websocket"

    def __init__(self, send: Send) -> None:
        self._send = send
        self._server = _plain_uvicorn(send)

    def give(self, frame: Frame) -> Awaitable[None] | None:
        """Where the server's next step is known, the frame's bytes go to the transport as they are.

        Encoding and framing them anew for every client is half of the cost of a message (bench/events_fan_out.py). Only a
        connection that is open, not compressed and not behind is served so; any other takes ASGI's way.
        """
        server = self._server
        if (
            server is not None
            and server.writable.is_set()
            and not server.close_sent
            and not server.disconnected
            and not server.transport.is_closing()
        ):
            server.transport.write(frame.wire)
            return None
        return self._send(frame.message)

    def tell(self, control: dict[str, Any]) -> Awaitable[None]:
        return self._send({"type": "websocket.send", "text": orjson.dumps(control).decode()})

    def close(self, code: int, reason: str) -> Awaitable[None]:
        return self._send({"type": "websocket.close", "code": code, "reason": reason})

    def abort(self) -> None:
        _abort(self._send)


class SseConnection:
    """The client of `/api/events/stream`."""

    __slots__ = ("_send",)
    kind = "sse"

    def __init__(self, send: Send) -> None:
        self._send = send

    def give(self, frame: Frame) -> Awaitable[None] | None:
        return self._send(frame.sse)

    def tell(self, control: dict[str, Any]) -> Awaitable[None]:
        """Control frames are events too; a cursor has an id, so that the browser resumes from there."""
        numbered = f"id: {control['id']}\n" if control["id"] is not None else ""
        data = orjson.dumps(control).decode()
        return self._chunk(f"{numbered}event: {control['type']}\ndata: {data}\n\n", more=True)

    def close(self, code: int, reason: str) -> Awaitable[None]:
        data = orjson.dumps({"type": "close", "id": None, "data": {"code": code, "reason": reason}})
        return self._chunk(f"event: close\ndata: {data.decode()}\n\n", more=False)

    def abort(self) -> None:
        _abort(self._send)

    def _chunk(self, text: str, *, more: bool) -> Awaitable[None]:
        body = {"type": "http.response.body", "body": text.encode(), "more_body": more}
        return self._send(body)


def _plain_uvicorn(send: Any) -> Any:
    """uvicorn's WebSocket protocol behind `send`, where nothing stands between and no extension was agreed."""
    server: Any = getattr(send, "__self__", None)
    if type(server).__module__ != "uvicorn.protocols.websockets.websockets_sansio_impl":
        return None
    needed = ("writable", "close_sent", "disconnected", "transport")
    known = all(hasattr(server, name) for name in needed)
    return server if known and not server.conn.extensions else None


def _abort(send: Any) -> None:
    """Cut the transport behind `send`.

    ASGI has no word for it, and closing politely waits until everything is sent, which a peer that does not read can
    put off for ever. Servers' `send` is a method of the object that holds the transport; ours wrap it as `_send`.
    """
    for _ in range(4):
        owner = getattr(send, "__self__", None)
        transport = getattr(owner, "transport", None)
        if transport is not None:
            transport.abort()
            return
        send = getattr(owner, "_send", None)
