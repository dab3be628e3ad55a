"""`GET /api/events/stream`: the stream of `/ws/events` as server-sent events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import Error

from core.access.authenticate import authorize_scope
from core.access.principals import Principal, Right
from core.problems import Problem, send_problem
from events.admission import Opening, address_of, asked_filter, begin, prepare, query_of
from events.connections import Send, SseConnection
from events.filters import BadFilter
from events.hub import HubRefusal, get_hub

Receive = Callable[[], Awaitable[dict[str, Any]]]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
]
_RETRY_MS = 2000


async def event_stream(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """A plain ASGI callable. Resumes after `Last-Event-ID`, else after `?since=`; errors are problem JSON."""
    try:
        principal, address, opening = await _open(scope)
    except Problem as problem:
        await send_problem(send, problem, scope.get("sofiia_request_id", ""))
        return
    hub = get_hub()
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    retry = f"retry: {_RETRY_MS}\n\n".encode()
    await send({"type": "http.response.body", "body": retry, "more_body": True})
    connection = SseConnection(send)
    for control in opening.controls:
        await connection.tell(control)
    try:
        subscription = begin(hub, connection, principal, address, opening)
    except HubRefusal as refusal:
        await connection.close(refusal.code, refusal.reason)
        return
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        hub.leave(subscription)


async def _open(scope: Mapping[str, Any]) -> tuple[Principal, str, Opening]:
    """Everything that can still be answered with a status. Raises Problem."""
    if scope["method"] != "GET":
        detail = "The event stream is read with GET."
        raise Problem(405, "method_not_allowed", detail, headers={"Allow": "GET"})
    principal = await authorize_scope(scope, Right.READ)
    address = address_of(principal, scope)
    query = query_of(scope)
    last_event_id = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    if last_event_id:
        query["since"] = last_event_id
    hub = get_hub()
    try:
        asked_filter(principal, query)
        hub.check_room(address)
        return principal, address, prepare(principal, query, await hub.head())
    except BadFilter as exc:
        errors = [{"path": "query.types", "message": str(exc)}]
        raise Problem(422, "invalid", str(exc), errors=errors) from exc
    except HubRefusal as exc:
        retry = {"Retry-After": "5"}
        raise Problem(503, "no_room", f"{exc.reason}.", headers=retry) from exc
    except Error as exc:
        detail = "The event log cannot be read now."
        raise Problem(503, "database_unavailable", detail, headers={"Retry-After": "2"}) from exc
