"""The page that shows the log as it grows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.access.pages import page
from core.access.principals import Principal
from events import queries
from events.admission import types_of
from events.filters import NODE, hidden_from
from events.frames import readable, stamp
from events.models import Event
from events.sentences import nodes_of, sentence, state_of

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
_ROWS = 50
_LONGEST = 400


@require_safe
@page()
def log(request: HttpRequest) -> HttpResponse:
    """The newest events, which the page's script then keeps live."""
    asked = {
        "type": _plain(request.GET.get("type", ""))[:48],
        "node": _plain(request.GET.get("node", ""))[:64],
        "text": _plain(request.GET.get("q", ""))[:80],
    }
    found = _newest(request, **asked)
    context = {
        "types": TYPES,
        "is_filtered": any(asked.values()),
        "rows": [_row(event) for event in found.items],
        "searched_from": found.next,
    }
    return render(request, "events.html", context | asked)


def _newest(request: HttpRequest, type: str, node: str, text: str) -> queries.Page:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    if node and not NODE.fullmatch(node):
        return queries.Page([], None)
    return queries.page(
        types=types_of(type) if type else None,
        node=node or None,
        q=text,
        limit=_ROWS,
        can_see=not hidden_from(principal),
    )


def _row(event: Event) -> dict[str, Any]:
    """One event as `_event.html` draws it; the script draws the same."""
    data = readable(event.data)
    return {
        "id": event.id,
        "ts": stamp(event.ts),
        "type": event.type,
        "state": state_of(event.type, data),
        "said": sentence(event.type, data, longest=_LONGEST),
        "node": nodes_of(event.node_id, data),
    }


def _plain(text: str) -> str:
    """Without control characters: no database is asked for them."""
    return "".join(letter for letter in text if letter.isprintable()).strip()
