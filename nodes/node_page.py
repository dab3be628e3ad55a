"""What the page of one node shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
from django.contrib.admin.utils import quote as admin_quote

from core.formatting import absolute, duration, iso, milliseconds, percent
from nodes import queries, uptimes
from nodes.charts import chart
from nodes.history import RANGES, history
from nodes.interventions import Intervention, interventions, standing
from nodes.models import Revision, Transition
from nodes.presentation import WORDS, address, name_beside_id, reasons_of, setting_text, tile
from nodes.queries import NodeView
from nodes.registry import EffectiveNode

_TRANSITIONS = 30
_REVISIONS = 20
_YOUNG = timedelta(hours=4)
_URLS = ("monitor_url", "gateway_url", "router_url")


def context(node_id: str, range_name: str, now: datetime) -> dict[str, Any]:
    """Everything for `node.html`. Raises Problem 404."""
    view = queries.node_view(node_id, now)
    held = standing([view]).get(node_id)
    revisions = queries.revisions(node_id, _REVISIONS)
    chosen = range_name if range_name in RANGES else _default_range(view, now)
    here = address(node_id)
    return {
        "t": tile(view, now, held),
        "held": held,
        "in_maintenance": view.in_maintenance,
        "name": name_beside_id(view.node.label, node_id),
        "headline": view.headline,
        "reasons": reasons_of(view, held),
        "uptimes": uptimes.figures(view),
        "chart": chart(history(node_id, chosen, now), chosen),
        "ranges": [(name, f"{here}?range={name}", name == chosen) for name in RANGES],
        "range": chosen,
        "timeline": _timeline(queries.transitions(node_id, _TRANSITIONS), revisions, now),
        "telemetry": _reported(telemetry_rows(view)),
        "probe": probe_rows(view),
        "urls": _settings(view.node, _URLS),
        "settings": _settings(view.node, [n for n in view.node.fields if n not in _URLS]),
        "revisions": revisions,
        "as_json": _pretty(view.as_dict()),
        "raw": view.state.raw,
        "edit_url": f"/admin/nodes/node/{admin_quote(node_id)}/change/",
        "view": view,
        "api_path": f"/api/nodes/{here.rsplit('/', 1)[1]}",
    }


def _default_range(view: NodeView, now: datetime) -> str:
    """A day; an hour for a node that is too young to fill more."""
    return "1h" if now - view.row.created_at < _YOUNG else "24h"


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def _timeline(
    rows: list[Transition], revisions: list[Revision], now: datetime
) -> list[dict[str, Any]]:
    """Changes of status and what operators did, newest first."""
    entries = _changes(rows, now) + [_edit(found) for found in interventions(revisions)]
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:_TRANSITIONS]


def _changes(rows: list[Transition], now: datetime) -> list[dict[str, Any]]:
    """Changes of status with how long each state held."""
    ends = [now, *(row.ts for row in rows)]
    return [
        {
            "state": row.after,
            "word": WORDS.get(row.after, row.after),
            "before": WORDS.get(row.before, row.before).lower(),
            "reasons": row.reasons,
            "at": row.ts,
            "ts": iso(row.ts),
            "absolute": absolute(row.ts),
            "held": duration((end - start).total_seconds()),
            "is_current": row is rows[0],
        }
        for (end, start), row in zip(pairwise(ends), rows, strict=True)
    ]


def _edit(found: Intervention) -> dict[str, Any]:
    return {
        "state": found.state or "info",
        "word": found.words,
        "actor": found.actor,
        "at": found.ts,
        "ts": iso(found.ts),
        "absolute": absolute(found.ts),
    }


#: What the page says after a button: (class of its state, words), by the `done` of its address. See `said`.
_DONE = {
    "pause": ("paused", "Paused: not probed until it is resumed."),
    "resume": ("info", "Resumed: it is probed at once."),
    "maintenance": ("maintenance", "Maintenance is announced."),
    "maintenance-over": ("info", "Maintenance is over."),
}


def said(done: str, view: NodeView) -> tuple[str, str] | None:
    """What a button did, as (state, words); None for a word that no button leaves."""
    if done == "probe":
        return _probed(view)
    return _DONE.get(done)


def _probed(view: NodeView) -> tuple[str, str]:
    """How the last probe went."""
    state = view.state
    if state.probed_at is None:
        return "unknown", "Nothing came back yet."
    if state.failures or state.latency_ms is None:
        why = state.error or (state.reasons[0] if state.reasons else "no answer")
        return "offline", f"Probed: {why}"
    words = f"Probed: answered in {milliseconds(state.latency_ms)}"
    if state.status == "degraded" and state.reasons:
        return "degraded", f"{words}, {state.reasons[0]}"
    return "online", words


def _reported(rows: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The rows, or none where the node has said nothing at all."""
    return rows if any(value is not None for _name, value in rows) else []


def telemetry_rows(view: NodeView) -> list[tuple[str, str | None]]:
    """What the node says of itself, as it came; None where it says nothing."""
    known = view.state.telemetry
    router, gateway = known.get("router") or {}, known.get("gateway") or {}
    slo = known.get("alerts_loop_slo") or {}
    return [
        ("Router", _part_text(router)),
        ("Gateway", _part_text(gateway)),
        ("Alerts loop, p95", _known(slo.get("p95_ms"), milliseconds)),
        ("Alerts loop, failed", _known(slo.get("failed_rate"), percent)),
        ("Open incidents", _known(known.get("open_incidents"), str)),
        ("Backends", _pairs(known.get("backends"))),
        ("Last artifacts", _pairs(known.get("last_artifacts"))),
        ("Heartbeat age", _known(known.get("heartbeat_age_s"), duration)),
        ("Its time", known.get("ts")),
        ("Clock ahead of ours", _known(known.get("clock_skew_s"), duration)),
        ("Service", " ".join(filter(None, [known.get("service"), known.get("version")])) or None),
        ("Calls itself", known.get("node_id")),
    ]


def probe_rows(view: NodeView) -> list[tuple[str, str]]:
    """The last probe: where it asked, how it went."""
    state = view.state
    asked = "in the process" if view.node.is_self else view.node.probe_url or "nowhere: no URL"
    rows = [("Asked", asked), ("Answered by", state.source), ("Error", state.error or "none")]
    if state.failures:
        rows.append(("Failed in a row", str(state.failures)))
    return rows


def _known(value: Any, words: Any) -> str | None:
    return None if value is None else str(words(value))


def _part_text(part: Mapping[str, Any]) -> str | None:
    if part.get("ok") is None:
        return None
    latency = _known(part.get("latency_ms"), milliseconds)
    return ("ok" if part["ok"] else "not ok") + (f", {latency}" if latency else "")


def _pairs(values: Mapping[str, str] | None) -> str | None:
    if not values:
        return None
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in values.items())


def _settings(node: EffectiveNode, names: Any) -> list[tuple[str, str, str]]:
    """(name, value, source) of fields; the source is empty where nobody gave a value."""
    rows: list[tuple[str, str, str]] = []
    for name in names:
        sourced = node.fields[name]
        given = sourced.value not in (None, "", [], {})
        rows.append((name, setting_text(name, sourced.value), sourced.source if given else ""))
    return rows
