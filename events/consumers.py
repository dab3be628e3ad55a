"""The WebSocket `/ws/events`: section 5 of the contract."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import Error

from core.access.authenticate import authorize_scope
from core.access.principals import Principal, Right
from core.problems import Problem
from core.safe_json import UnsafeJson, loads
from events import frames as controls
from events.admission import address_of, begin, prepare, query_of, refused_types
from events.connections import Send, WebSocketConnection
from events.filters import BadFilter, filter_for
from events.hub import HubRefusal, get_hub
from events.subscription import Subscription

Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_MESSAGE = 64 * 1024
MAX_DEPTH = 8
#: Messages a client may send: at once, and per second in the long run.
BURST, RATE = 200.0, 50.0
FLOODING, TOO_BIG, TRY_LATER = 1008, 1009, 1013


class EventStreamConsumer:
    """A plain ASGI callable, so that a frame costs one send and a connection one task."""

    @classmethod
    def as_asgi(cls) -> EventStreamConsumer:
        """For URL routers that expect Channels' consumers."""
        return cls()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        if (await receive())["type"] != "websocket.connect":
            return
        hub = get_hub()
        try:
            principal = await authorize_scope(scope, Right.READ)
            address = address_of(principal, scope)
            hub.check_room(address)
            opening = prepare(principal, query_of(scope), await hub.head())
        except Problem as problem:
            await _refuse(send, 4000 + problem.status, problem.detail)
            return
        except HubRefusal as refusal:
            await _refuse(send, refusal.code, refusal.reason)
            return
        except Error:
            await _refuse(send, TRY_LATER, "the event log cannot be read now")
            return
        await send({"type": "websocket.accept"})
        connection = WebSocketConnection(send)
        for control in opening.controls:
            await connection.tell(control)
        try:
            subscription = begin(hub, connection, principal, address, opening)
        except HubRefusal as refusal:
            await connection.close(refusal.code, refusal.reason)
            return
        try:
            await _Conversation(principal, subscription, receive).listen()
        except (OSError, RuntimeError):
            pass  # the client went away, or was sent away, while it was being answered
        finally:
            hub.leave(subscription)


class _Conversation:
    """What the client says, until it goes."""

    __slots__ = ("_budget", "_principal", "_receive", "_refilled_at", "_subscription")

    def __init__(self, principal: Principal, subscription: Subscription, receive: Receive) -> None:
        self._principal = principal
        self._subscription = subscription
        self._receive = receive
        self._budget = BURST
        self._refilled_at = time.monotonic()

    async def listen(self) -> None:
        """Answer every message; returns when the connection ends."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return
            if self._subscription.ended:
                continue  # only the end is waited for
            if not self._may_speak():
                self._end(FLOODING, "too many messages")
            elif len(message.get("text") or message.get("bytes") or b"") > MAX_MESSAGE:
                self._end(TOO_BIG, f"a message may have at most {MAX_MESSAGE} bytes")
            else:
                for reply in self._replies(message):
                    await self._subscription.connection.tell(reply)

    def _end(self, code: int, reason: str) -> None:
        get_hub().end(self._subscription, code, reason)

    def _may_speak(self) -> bool:
        now = time.monotonic()
        self._budget = min(BURST, self._budget + (now - self._refilled_at) * RATE) - 1
        self._refilled_at = now
        return self._budget >= 0

    def _replies(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        if message.get("text") is None:
            return [controls.error("not_understood", "binary messages are not understood")]
        try:
            said = loads(message["text"].encode(), max_bytes=MAX_MESSAGE, max_depth=MAX_DEPTH)
        except UnsafeJson as exc:
            return [controls.error("not_understood", f"the message {exc.reason}")]
        except UnicodeEncodeError:
            return [controls.error("not_understood", "the message is not UTF-8")]
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "ping":
            return [{"type": "pong", "ts": controls.now()}]
        if kind == "pong":
            return []
        if kind == "subscribe":
            return self._subscribe(said)
        return [controls.error("not_understood", "understood are: ping, subscribe")]

    def _subscribe(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Change the filter; takes effect with the next event. Left out or null: no restriction."""
        types, node = said.get("types"), said.get("node")
        fits = types is None or (
            isinstance(types, list) and all(isinstance(name, str) for name in types)
        )
        if not fits or not (node is None or isinstance(node, str)):
            message = "types is a list of names, node is a name"
            return [controls.error("bad_filter", message)]
        try:
            self._subscription.filter = filter_for(self._principal, types, node)
        except BadFilter as exc:
            return [controls.error("bad_filter", str(exc))]
        return refused_types(self._subscription.filter)


async def _refuse(send: Send, code: int, reason: str) -> None:
    """Accept, then close: a browser is shown the code of a close frame only, never that of a refused handshake."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code, "reason": reason[:120]})
