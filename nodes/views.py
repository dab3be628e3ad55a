"""Pages about nodes: the wall, one node, and the fragments that keep them live."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from core.access.pages import page
from core.access.principals import Principal
from core.problems import Problem
from events import queries as events
from nodes import node_page, queries, services
from nodes.filters import STATES, Filters
from nodes.interventions import standing
from nodes.presentation import WORDS, address, state_of, tile
from nodes.queries import Fleet, NodeView

#: A tile that was written while the last answer was being made is sent again rather than missed.
_OVERLAP = timedelta(seconds=2)
_MAINTENANCE_HOURS = {"0": 0, "1": 1, "4": 4}


@require_safe
@page()
def wall(request: HttpRequest) -> HttpResponse:
    """Every node, worst first."""
    since = events.last_id()
    return render(request, "wall.html", _fleet_context(request, None) | {"since": since})


@require_safe
@page()
def tiles(request: HttpRequest) -> HttpResponse:
    """The fleet as a fragment. With `since` only the tiles that were written after it."""
    context = _fleet_context(request, _moment(request.GET.get("since", "")))
    response = render(request, "_fleet.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@page()
def index(request: HttpRequest) -> JsonResponse:
    """Names and states of every node, for the palette and the pulse line of other pages."""
    fleet = queries.fleet()
    nodes = [[view.node.node_id, view.node.label, state_of(view)] for view in fleet.nodes]
    return JsonResponse({"summary": fleet.summary, "nodes": nodes})


@require_safe
@page()
def node(request: HttpRequest, node_id: str) -> HttpResponse:
    """All that is known of one node."""
    context = node_page.context(node_id, request.GET.get("range", ""), timezone.now())
    context["said"] = node_page.said(request.GET.get("done", ""), context["view"])
    context["reads_need_key"] = not settings.ENVIRONMENT.is_dev
    return render(request, "node.html", context | {"since": events.last_id()})


@require_POST
@page(right="ops")
def probe(request: HttpRequest, node_id: str) -> HttpResponse:
    """Probe now and come back to the page."""
    services.probe_node(node_id, _actor(request))
    return _back(node_id, "probe")


@require_POST
@page(right="admin")
def pause(request: HttpRequest, node_id: str) -> HttpResponse:
    """Leave the node alone until it is resumed."""
    services.pause(node_id, _actor(request))
    return _back(node_id, "pause")


@require_POST
@page(right="admin")
def resume(request: HttpRequest, node_id: str) -> HttpResponse:
    """Probe a paused node again."""
    services.resume(node_id, _actor(request))
    return _back(node_id, "resume")


@require_POST
@page(right="admin")
def maintenance(request: HttpRequest, node_id: str) -> HttpResponse:
    """Announce work for some `hours` from now; 0 ends it."""
    hours = _MAINTENANCE_HOURS.get(request.POST.get("hours", ""))
    if hours is None:
        raise Problem(422, "invalid_node", "Maintenance is announced for 1 or 4 hours; 0 ends it.")
    until = timezone.now() + timedelta(hours=hours) if hours else None
    services.set_maintenance(node_id, until, _actor(request))
    return _back(node_id, "maintenance" if hours else "maintenance-over")


def _actor(request: HttpRequest) -> Principal:
    return request.principal  # type: ignore[attr-defined, no-any-return]


def _back(node_id: str, done: str) -> HttpResponse:
    return redirect(f"{address(node_id)}?done={done}")


def _moment(text: str) -> datetime | None:
    """A time with its zone; None for anything else. A plus that nobody encoded arrives as a space."""
    try:
        when = parse_datetime(text[:40].replace(" ", "+"))
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None else None


def _fleet_context(request: HttpRequest, since: datetime | None) -> dict[str, Any]:
    now = timezone.now()
    fleet, filters = queries.fleet(now), Filters.read(request.GET)
    shown = filters.apply(fleet.nodes)
    fresh = [view for view in shown if since is None or _written_at(view) > since]
    held = standing(fresh)
    can_fold = filters.can_fold(len(shown))
    return {
        "filters": filters,
        "summary": fleet.summary,
        "states": _counts(fleet),
        "shown": len(shown),
        "envs": _sorted([filters.env, *(view.node.env for view in fleet.nodes)]),
        "tags": _sorted([filters.tag, *(tag for view in fleet.nodes for tag in view.node.tags)]),
        "tiles": [tile(view, now, held.get(view.node.node_id)) for view in fresh],
        "can_fold": can_fold,
        "fold": can_fold and not filters.size,
        "order": " ".join(view.node.node_id for view in shown),
        "partial": since is not None and bool(shown),
        "as_of": (now - _OVERLAP).isoformat(),
    }


def _written_at(view: NodeView) -> datetime:
    """When what a tile shows changed last: by a probe, or by an edit such as a pause."""
    return max(view.state.updated_at, view.row.updated_at)


def _counts(fleet: Fleet) -> list[tuple[str, str, int]]:
    """(state, word, count) of the states that occur, online first."""
    counts = dict.fromkeys(STATES, 0)
    for view in fleet.nodes:
        counts[state_of(view)] += 1
    return [(state, WORDS[state], count) for state, count in counts.items() if count]


def _sorted(words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word}, key=str.lower)
