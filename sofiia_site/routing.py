"""Which application answers what: WebSockets and streams on raw ASGI, everything else in Django."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

application = get_asgi_application()
