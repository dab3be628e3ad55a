"""Which application answers what: WebSockets and streams on raw ASGI, everything else in Django."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

from core.outbound.guard import get_guard
from events.consumers import EventStreamConsumer
from events.sse import event_stream
from sofiia_site.cors import CorsPolicy
from sofiia_site.edge import App, Edge

django_application = get_asgi_application()
#: Paths that Django's handler would cost too much for, or cannot stream well.
HTTP_SHORTCUTS: dict[str, App] = {"/api/events/stream": event_stream}
WEBSOCKETS: dict[str, App] = {"/ws/events": EventStreamConsumer()}


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django, but for the paths that are answered in front of it."""
    await HTTP_SHORTCUTS.get(scope["path"], django_application)(scope, receive, send)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """The event stream; any other path is closed before the handshake ends."""
    consumer = WEBSOCKETS.get(scope["path"])
    if consumer is None:
        await send({"type": "websocket.close", "code": 4404})
        return
    await consumer(scope, receive, send)


application = Edge(
    ProtocolTypeRouter({"http": http, "websocket": websocket}),
    allowed_hosts=settings.ALLOWED_HOSTS,
    cors=CorsPolicy(settings.ENVIRONMENT.cors_origins, is_dev=settings.ENVIRONMENT.is_dev),
    trusted_proxies=lambda: get_guard().allowlist.ingress.trusted_proxies,
)
