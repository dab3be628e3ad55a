"""Reading the registry and what is known of its nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.utils import timezone

from core.formatting import duration, milliseconds
from core.problems import Problem
from nodes.history import uptime
from nodes.models import Node, NodeState, Revision, Status, Transition
from nodes.registry import URL_FIELDS, EffectiveNode, effective, variable_part

#: Backends that lose what they hold when the process ends.
VOLATILE = frozenset({"memory", "in-memory", "inmemory", "volatile"})
_LOOPBACK = ("localhost", "127.", "::1")
_WORST_FIRST = ("offline", "degraded", "unknown", "maintenance", "paused", "online")
_COUNTED = (
    Status.ONLINE,
    Status.DEGRADED,
    Status.OFFLINE,
    Status.UNKNOWN,
    Status.MAINTENANCE,
)


@dataclass(frozen=True)
class NodeView:
    """A node as it is shown at `now`: what it is set to, what is known of it, and what that means."""

    row: Node
    node: EffectiveNode
    state: NodeState
    now: datetime

    @property
    def version(self) -> int:
        """The revision that an edit has to start from."""
        return self.row.version

    @property
    def paused(self) -> bool:
        """Left alone by an operator: nothing is said of it."""
        return self.node.paused

    @cached_property
    def status(self) -> str:
        """The word of the contract: paused and never probed nodes are `unknown`, announced work is `maintenance`."""
        if self.paused:
            return Status.UNKNOWN.value
        if self.in_maintenance:
            return Status.MAINTENANCE.value
        if self.state.probed_at is None or self.node.probe_url is None:
            return Status.UNKNOWN.value
        return str(self.state.status)

    @property
    def in_maintenance(self) -> bool:
        """Whether an operator announced work that is not over."""
        until = self.node.maintenance_until
        return until is not None and until > self.now

    @property
    def online(self) -> bool:
        """Whether it answered last: an online node, or a degraded one whose last probe did not fail."""
        if self.paused or self.state.probed_at is None:
            return False
        answers = (Status.ONLINE, Status.DEGRADED, Status.MAINTENANCE)
        return self.state.status in answers and self.state.failures == 0

    @property
    def age_s(self) -> float | None:
        """Seconds since the last probe ended; None: never probed."""
        return _since(self.state.probed_at, self.now)

    @property
    def stale(self) -> bool:
        """Whether what is known is older than two intervals and a probe (or the node's `stale_after`)."""
        return not self.paused and self.age_s is not None and self.age_s > self.node.stale_after

    @cached_property
    def reasons(self) -> list[str]:
        """Why the status is what it is, the strongest first."""
        if self.paused:
            return ["Paused by an operator"]
        if self.node.probe_url is None:
            return ["No address is known: give it a monitor, gateway or router URL"]
        if self.in_maintenance:
            return [self._maintenance_text(), *self.state.reasons]
        if self.state.probed_at is None:
            return ["Not probed yet"]
        return list(self.state.reasons)

    @cached_property
    def headline(self) -> str:
        """The one sentence that matters."""
        if self.stale and not self.in_maintenance:
            return f"Stale: last probed {duration(self.age_s)} ago, {self.status} then"
        if self.paused or self.status == Status.MAINTENANCE:
            return self.reasons[0]
        if self.status == Status.ONLINE:
            return self._seen_text()
        if self.state.probed_at is None or self.node.probe_url is None:
            return self.reasons[0]
        for_long = duration(_since(self.state.since, self.now))
        why = self.reasons[0] if self.reasons else self.state.error
        return f"{self.status.capitalize()} for {for_long}" + (f": {why}" if why else "")

    def _seen_text(self) -> str:
        seen = _since(self.state.last_seen_at, self.now)
        latency = self.state.latency_ms
        parts = [milliseconds(latency)] if latency is not None else []
        parts += [f"seen {duration(seen)} ago"] if seen is not None else []
        return ", ".join(parts) or "Online"

    def _maintenance_text(self) -> str:
        until = self.node.maintenance_until
        if until is None:
            return ""
        until = until.astimezone(UTC)
        day = "" if until - self.now < timedelta(hours=18) else f"{until:%-d %b} "
        return f"In maintenance until {day}{until:%H:%M} UTC"

    @cached_property
    def warnings(self) -> list[str]:
        """What needs a look though the node is up: `alerts: memory` is a backend that forgets."""
        backends = self.state.telemetry.get("backends") or {}
        found = [f"{name}: {kind}" for name, kind in backends.items() if kind in VOLATILE]
        return sorted(found, key=lambda text: (not text.startswith("alerts:"), text))

    @property
    def hint(self) -> str | None:
        """What to set, where the node is offline at the loopback address that the registry file ships with."""
        if (
            self.status not in (Status.OFFLINE, Status.DEGRADED, Status.UNKNOWN)
            or self.node.is_self
        ):
            return None
        shipped = [name for name in URL_FIELDS if _is_shipped_loopback(self.node, name)]
        if not shipped or self.state.failures == 0:
            return None
        part = variable_part(self.node.node_id)
        variables = " and ".join(f"NODES_{part}_{name.upper()}" for name in shipped)
        return f"The registry file has a loopback address: set {variables}, or edit nodes_registry.yml."

    @cached_property
    def uptime(self) -> dict[str, float | None]:
        """Share of good probes: `{"24h": 0.999, "7d": …, "30d": …}`, None where nothing is known."""
        return uptime(self.state, self.now)

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The last probes, oldest first: `{"ts", "latency_ms", "mark"}`."""
        return [
            {"ts": rfc3339(datetime.fromtimestamp(seconds, UTC)), "latency_ms": ms, "mark": mark}
            for seconds, ms, mark in self.state.recent
        ]

    def as_dict(self) -> dict[str, Any]:
        """The node JSON of the API and of `nodes.status` events; unknown is None, never invented."""
        return self._word() | self._times() | self._found() | self._settings()

    def _word(self) -> dict[str, Any]:
        """Which node, and what is said of it."""
        return {
            "node_id": self.node.node_id,
            "label": self.node.label,
            "role": self.node.role or None,
            "env": self.node.env or None,
            "status": self.status,
            "online": self.online,
            "paused": self.paused,
            "stale": self.stale,
            "headline": self.headline,
            "reasons": self.reasons,
            "warnings": self.warnings,
            "hint": self.hint,
        }

    def _times(self) -> dict[str, Any]:
        known = self.state.telemetry
        return {
            "since": rfc3339(self.state.since),
            "maintenance_until": rfc3339(self.node.maintenance_until),
            "ts": known.get("ts"),
            "probed_at": rfc3339(self.state.probed_at),
            "last_seen": rfc3339(self.state.last_seen_at),
            "heartbeat_age_s": known.get("heartbeat_age_s"),
        }

    def _found(self) -> dict[str, Any]:
        """How the last probe went, and what the node told."""
        known = self.state.telemetry
        return {
            "probe": {
                "source": self.state.source,
                "latency_ms": self.state.latency_ms,
                "error": self.state.error,
                "consecutive_failures": self.state.failures,
            },
            "router": _part(known.get("router"), "ok", "latency_ms"),
            "gateway": _part(known.get("gateway"), "ok", "latency_ms"),
            "alerts_loop_slo": _part(known.get("alerts_loop_slo"), "p95_ms", "failed_rate"),
            "open_incidents": known.get("open_incidents"),
            "backends": known.get("backends") or {},
            "last_artifacts": known.get("last_artifacts") or {},
            "service": known.get("service"),
            "service_version": known.get("version"),
        }

    def _settings(self) -> dict[str, Any]:
        return {
            "urls": {name: _sourced_url(self.node, name) for name in URL_FIELDS},
            "uptime": self.uptime,
            "tags": self.node.tags,
            "labels": self.node.labels,
            "version": self.version,
        }


@dataclass(frozen=True)
class Fleet:
    """All nodes, worst first. What is in maintenance counts in `total` only."""

    nodes: list[NodeView]
    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def summary(self) -> dict[str, int]:
        """`{"total", "online", "degraded", "offline", "unknown", "maintenance"}`; paused nodes are unknown."""
        counts = Counter(view.status for view in self.nodes)
        return {"total": len(self.nodes), **{word.value: counts[word] for word in _COUNTED}}


def fleet(now: datetime | None = None) -> Fleet:
    """The whole fleet in one query."""
    now = now or timezone.now()
    return Fleet(sorted((view_of(row, now) for row in _rows()), key=_worst_first), now)


def node_view(node_id: str, now: datetime | None = None) -> NodeView:
    """One node, or Problem 404."""
    row = _rows().filter(node_id=node_id).first()
    if row is None:
        raise no_such_node(node_id)
    return view_of(row, now)


def view_of(row: Node, now: datetime | None = None) -> NodeView:
    """The view of a row that the caller holds; costs a query where its state was not selected along."""
    try:
        state = row.state
    except NodeState.DoesNotExist:
        state = NodeState(node=row)
    return NodeView(row, effective(row), state, now or timezone.now())


def no_such_node(node_id: str) -> Problem:
    """The answer to an id that the registry does not hold."""
    return Problem(404, "node_not_found", f"There is no node {node_id[:64]!r} in the registry.")


def state_dict(node: Node, state: NodeState, now: datetime | None = None) -> dict[str, Any]:
    """The node JSON of a row and a state that the caller holds already."""
    return NodeView(node, effective(node), state, now or timezone.now()).as_dict()


def matching(
    views: Iterable[NodeView],
    *,
    status: str = "",
    env: str = "",
    role: str = "",
    tag: str = "",
    q: str = "",
) -> list[NodeView]:
    """The views that every given filter lets through; `status` may be `paused`, `q` is looked for in id, label and tags."""
    return [
        view
        for view in views
        if status in ("", "paused" if view.paused else view.status)
        and env in ("", view.node.env)
        and role in ("", view.node.role)
        and (not tag or tag in view.node.tags)
        and q.lower() in "\n".join((view.node.node_id, view.node.label, *view.node.tags)).lower()
    ]


def transitions(node_id: str, limit: int = 50, before: int | None = None) -> list[Transition]:
    """Changes of status, newest first, with ids below `before`."""
    rows = Transition.objects.filter(node_id=node_id).order_by("-id")
    return list((rows.filter(id__lt=before) if before is not None else rows)[:limit])


def revisions(node_id: str, limit: int = 50, before: int | None = None) -> list[Revision]:
    """Edits of the node, newest first, with versions below `before`."""
    rows = Revision.objects.filter(node_id=node_id).order_by("-version")
    return list((rows.filter(version__lt=before) if before is not None else rows)[:limit])


def rfc3339(when: datetime | None) -> str | None:
    """A time as the API writes it: UTC, milliseconds, `Z`."""
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rows() -> QuerySet[Node]:
    # The body as it came may have 256 KiB; only the node's own page shows it.
    return Node.objects.active().select_related("state").defer("state__raw")


def _worst_first(view: NodeView) -> tuple[int, str]:
    return _WORST_FIRST.index("paused" if view.paused else view.status), view.node.node_id


def _since(when: datetime | None, now: datetime) -> float | None:
    return None if when is None else max(0.0, (now - when).total_seconds())


def _part(known: dict[str, Any] | None, *names: str) -> dict[str, Any]:
    return {name: (known or {}).get(name) for name in names}


def _sourced_url(node: EffectiveNode, name: str) -> dict[str, str | None]:
    sourced = node.fields[name]
    return {
        "value": sourced.value,
        "source": None if sourced.value is None else sourced.source,
    }


def _is_shipped_loopback(node: EffectiveNode, name: str) -> bool:
    sourced = node.fields[name]
    if sourced.source != "yaml" or not sourced.value:
        return False
    return (urlsplit(sourced.value).hostname or "").startswith(_LOOPBACK)
