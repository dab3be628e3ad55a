"""Which application answers what: WebSockets and streams on raw ASGI, everything else in Django."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

from core.outbound.guard import get_guard
from core.problems import Problem
from events.consumers import EventStreamConsumer
from events.sse import event_stream
from sofiia_site.cors import CorsPolicy
from sofiia_site.edge import App, Edge

django_application = get_asgi_application()
#: Paths that Django's handler would cost too much for, or cannot stream well.
HTTP_SHORTCUTS: dict[str, App] = {"/api/events/stream": event_stream}
WEBSOCKETS: dict[str, App] = {"/ws/events": EventStreamConsumer()}


#: Every request in Django holds a thread; more wait in line, and not for ever.
DJANGO_AT_ONCE = 40
DJANGO_WAIT_S = 5.0
#: A supervisor's questions do not stand in line.
NEVER_WAIT = frozenset({"/api/health", "/healthz", "/readyz"})
_places = asyncio.Semaphore(DJANGO_AT_ONCE)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django, but for the paths that are answered in front of it."""
    path = scope["path"]
    if path in HTTP_SHORTCUTS:
        await HTTP_SHORTCUTS[path](scope, receive, send)
    elif path in NEVER_WAIT:
        await django_application(scope, receive, send)
    else:
        await _in_line(scope, receive, send)


async def _in_line(scope: Any, receive: Any, send: Any) -> None:
    try:
        async with asyncio.timeout(DJANGO_WAIT_S):
            await _places.acquire()
    except TimeoutError:
        detail = "Too many requests wait here already."
        raise Problem(503, "busy", detail, headers={"Retry-After": "2"}) from None
    try:
        await django_application(scope, receive, send)
    finally:
        _places.release()


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """The event stream; any other path is refused before the handshake ends."""
    consumer = WEBSOCKETS.get(scope["path"])
    if consumer is None:
        raise Problem(404, "not_found", "There is no WebSocket at this path.")
    await consumer(scope, receive, send)


application = Edge(
    ProtocolTypeRouter({"http": http, "websocket": websocket}),
    allowed_hosts=settings.ALLOWED_HOSTS,
    cors=CorsPolicy(settings.ENVIRONMENT.cors_origins, is_dev=settings.ENVIRONMENT.is_dev),
    trusted_proxies=lambda: get_guard().allowlist.ingress.trusted_proxies,
)
