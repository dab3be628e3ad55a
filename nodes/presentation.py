"""Nodes as the wall shows them: every word chosen here, so that the templates only place them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from core.formatting import day, duration, iso, milliseconds, percent, plain, plural
from nodes.heartbeats import Beats, beats
from nodes.interventions import Intervention
from nodes.queries import NodeView
from nodes.uptimes import share_text

WORDS = {
    "online": "Online",
    "degraded": "Degraded",
    "offline": "Offline",
    "unknown": "Unknown",
    "maintenance": "Maintenance",
    "paused": "Paused",
}
#: What a node last said of its parts is no news while it does not answer.
_SILENT = frozenset({"offline", "unknown"})
_SECONDS = frozenset({"poll_interval", "timeout", "stale_after"})


def setting_text(name: str, value: Any) -> str:
    """A setting as people write it, with its unit."""
    return duration(float(value)) if name in _SECONDS and value is not None else plain(value)


class Tile(NamedTuple):
    """One node on the wall. `state` is a status or `paused`; times are RFC 3339; what is not known is empty."""

    id: str
    name: str
    url: str
    state: str
    word: str
    for_long: str
    since: str
    seen: str
    seen_ago: str
    probed: str
    stale_after: float
    why: str
    hint: str
    warnings: tuple[str, ...]
    latency: str
    parts: tuple[tuple[str, str, str], ...]
    slo: str
    p95: str
    failed: str
    incidents: int
    incidents_text: str
    artifacts: str
    uptime_day: str
    beats: Beats
    is_calm: bool


def tile(view: NodeView, now: datetime, held: Intervention | None = None) -> Tile:
    """What the wall says of the node at `now`; `held` is the edit that paused it or announced work."""
    state, known, row = state_of(view), view.state.telemetry, view.state
    answers = _answers(view)
    slo = (known.get("alerts_loop_slo") or {}) if answers else {}
    incidents = known.get("open_incidents") or 0
    since = _since(view, held)
    return Tile(
        id=view.node.node_id,
        name=name_beside_id(view.node.label, view.node.node_id),
        url=address(view.node.node_id),
        state=state,
        word=WORDS.get(state, state),
        for_long=duration(_age(since, now)),
        since=iso(since),
        seen=iso(row.last_seen_at),
        seen_ago=duration(_age(row.last_seen_at, now)),
        probed="" if view.paused else iso(row.probed_at),
        stale_after=view.node.stale_after,
        why="" if state == "online" else "; ".join(reasons_of(view, held)[:2]),
        hint=view.hint or "",
        warnings=tuple(view.warnings),
        latency=milliseconds(row.latency_ms) if shows_latency(view) else "",
        parts=parts_of(known) if answers else (),
        slo=_slo_text(slo),
        p95=milliseconds(slo.get("p95_ms")),
        failed=percent(slo.get("failed_rate")),
        incidents=incidents,
        incidents_text=plural(incidents, "incident") if incidents else "",
        artifacts=artifacts_of(known),
        uptime_day=share_text(view, "24h"),
        beats=beats(row.recent),
        is_calm=is_calm(view),
    )


def state_of(view: NodeView) -> str:
    """The status, or `paused`."""
    return "paused" if view.paused else view.status


def _answers(view: NodeView) -> bool:
    """Whether what it said last is what it says now: the last probe did not fail."""
    return state_of(view) not in _SILENT and view.state.failures == 0


def shows_latency(view: NodeView) -> bool:
    """Whether there is a latency to show: that of a node that answers."""
    return _answers(view) and view.state.latency_ms is not None


def is_calm(view: NodeView) -> bool:
    """Online, and nothing about it needs a look."""
    return (
        not view.paused
        and view.status == "online"
        and not view.warnings
        and not view.state.telemetry.get("open_incidents")
    )


def reasons_of(view: NodeView, held: Intervention | None) -> list[str]:
    """Why the state is what it is; with who set it, where somebody did."""
    if held is None:
        return view.reasons
    if view.paused:
        return [f"Paused by {held.actor}"]
    return [f"{view.reasons[0]}, set by {held.actor}", *view.reasons[1:]]


def _since(view: NodeView, held: Intervention | None) -> datetime | None:
    """When the state began. A pause or maintenance began with its edit, not with what was found before."""
    if held is not None:
        return held.ts
    return None if view.paused or view.in_maintenance else view.state.since


def address(node_id: str) -> str:
    """The page of a node."""
    return f"/ui/nodes/{quote(node_id, safe='')}"


def name_beside_id(label: str, node_id: str) -> str:
    """The label without what the id beside it says already: `Production (NODA1)` is `Production`."""
    name = label.removesuffix(f"({node_id})").strip()
    return "" if name == node_id else name


def parts_of(known: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Router and gateway as (name, `ok` or `bad`, text); what the node does not report is left out."""
    found = []
    for name in ("router", "gateway"):
        part = known.get(name) or {}
        if part.get("ok") is not None:
            latency = part.get("latency_ms")
            text = milliseconds(latency) if latency is not None else ""
            found.append((name, "ok" if part["ok"] else "bad", text))
    return tuple(found)


def artifacts_of(known: Mapping[str, Any]) -> str:
    """`risk 24 Feb · platform W09 · backlog 24 Feb`: short, because a tile has one line for them."""
    artifacts = known.get("last_artifacts") or {}
    return " · ".join(
        f"{name.removesuffix('_digest').replace('_', ' ')} {day(period)}"
        for name, period in artifacts.items()
        if period
    )


def _slo_text(slo: Mapping[str, Any]) -> str:
    p95, failed = slo.get("p95_ms"), slo.get("failed_rate")
    said = [f"alerts p95 {milliseconds(p95)}"] if p95 is not None else []
    if failed is not None:
        said.append(f"{percent(failed)} failed")
    return " · ".join(said)


def _age(when: datetime | None, now: datetime) -> float | None:
    return None if when is None else (now - when).total_seconds()
