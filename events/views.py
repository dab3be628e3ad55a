"""The page that shows the log as it grows."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.access.pages import page

#: What the type filter offers; any other type can be searched for.
TYPES = (
    "nodes.status",
    "node.changed",
    "ops.run",
    "chat.message",
    "chat.reply",
    "voice.stt",
    "voice.tts",
    "alert",
    "incident",
    "policy.changed",
    "audit",
    "error",
)


@require_safe
@page()
def log(request: HttpRequest) -> HttpResponse:
    """The stream of events. The rows come from the API and the socket, so that there is one way to draw them."""
    return render(
        request,
        "events.html",
        {
            "types": TYPES,
            "type": request.GET.get("type", "")[:48],
            "node": request.GET.get("node", "")[:64],
            "text": request.GET.get("q", "")[:80],
        },
    )
