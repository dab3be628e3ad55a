"""The shapes of the nodes API, as the OpenAPI document describes them. Null means: not known."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict, StringConstraints, create_model

StatusWord = Literal["online", "degraded", "offline", "unknown", "maintenance"]
NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
DurationText = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)$")]


class ProbeOut(Schema):
    """The last probe."""

    source: Literal["monitor", "healthz", "health", "none"]
    latency_ms: float | None
    error: str | None
    consecutive_failures: int


class PartOut(Schema):
    """A service on the node, as the node reports it."""

    ok: bool | None
    latency_ms: float | None


class AlertsLoopOut(Schema):
    """The node's alert loop."""

    p95_ms: float | None
    failed_rate: float | None


class UrlOut(Schema):
    """An effective address and who gave it."""

    value: str | None
    source: Literal["yaml", "admin", "env"] | None


class UrlsOut(Schema):
    """The effective addresses; `monitor_url` may be `self`: this console."""

    router_url: UrlOut
    gateway_url: UrlOut
    monitor_url: UrlOut


# Made by a call because these names cannot be written as attributes.
UptimeOut = create_model(
    "UptimeOut",
    __base__=Schema,
    __doc__="Share of answered probes; null: nothing is known of that time.",
    **{window: (float | None, ...) for window in ("24h", "7d", "30d")},  # type: ignore[call-overload]
)


class NodeOut(Schema):
    """A node: what it is set to, what is known of it, and what that means."""

    node_id: str
    label: str
    role: str | None
    env: str | None
    status: StatusWord
    online: bool
    paused: bool
    stale: bool
    headline: str
    reasons: list[str]
    warnings: list[str]
    hint: str | None
    since: str
    maintenance_until: str | None
    ts: str | None
    probed_at: str | None
    last_seen: str | None
    heartbeat_age_s: float | None
    probe: ProbeOut
    router: PartOut
    gateway: PartOut
    alerts_loop_slo: AlertsLoopOut
    open_incidents: int | None
    backends: dict[str, str]
    last_artifacts: dict[str, str]
    service: str | None
    service_version: str | None
    urls: UrlsOut
    uptime: UptimeOut
    tags: list[str]
    labels: dict[str, str]
    version: int


class SummaryOut(Schema):
    """The fleet in numbers, which add up to `total`; paused nodes are unknown."""

    total: int
    online: int
    degraded: int
    offline: int
    unknown: int
    maintenance: int


class NodePage(Schema):
    """Nodes by id; `next` is the value for `after`."""

    items: list[NodeOut]
    next: str | None
    summary: SummaryOut


class LatencyOut(Schema):
    """Latency of the answered probes of a bucket."""

    p50: float | None
    p95: float | None
    max: float | None


class BucketOut(Schema):
    """A piece of history."""

    ts: datetime
    probes: int
    failed: int
    latency_ms: LatencyOut
    status: str | None


class HistoryOut(Schema):
    """Buckets, oldest first."""

    items: list[BucketOut]
    next: None = None
    range: Literal["1h", "24h", "7d", "30d"]


class TransitionOut(Schema):
    """A change of status."""

    id: int
    ts: datetime
    before: str
    after: str
    reasons: list[str]


class TransitionPage(Schema):
    """Changes of status, newest first; `next` is the value for `before`."""

    items: list[TransitionOut]
    next: int | None


class RevisionOut(Schema):
    """An edit: per field what it was and what it became."""

    version: int
    ts: datetime
    actor: str
    change: dict[str, list[Any]]


class RevisionPage(Schema):
    """Edits, newest first; `next` is the value for `before`."""

    items: list[RevisionOut]
    next: int | None


class NodeChange(Schema):
    """What may be set. Null takes an override back: the registry file or the default counts again."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, min_length=1, max_length=200)
    role: str | None = Field(None, description="runtime, control …")
    env: str | None = Field(None, description="dev, staging, prod")
    router_url: str | None = Field(None, description="base address of the router")
    gateway_url: str | None = Field(None, description="base address of the gateway")
    monitor_url: str | None = Field(None, description="base of /monitor/status; self: this console")
    auth_ref: str | None = Field(None, description="env:NAME or file:/run/secrets/NAME")
    depends_on: list[NodeId] | None = None
    tags: list[str] | None = None
    labels: dict[str, str] | None = None
    paused: bool | None = None
    poll_interval: DurationText | None = None
    timeout: DurationText | None = None
    offline_after: int | None = Field(None, ge=1)
    online_after: int | None = Field(None, ge=1)
    stale_after: DurationText | None = None
    require: dict[str, Any] | None = Field(
        None, description="backends and artifact_max_age that the node has to report"
    )
    maintenance_until: datetime | None = None


class NodeCreate(NodeChange):
    """A new node; it needs an id and one address."""

    node_id: NodeId


class ImportIn(Schema):
    """A registry document: ids with their fields, as the export writes it."""

    nodes: dict[NodeId, NodeChange]


class ImportOut(Schema):
    """The ids that were (or, in a dry run, would be) created and changed, and those that were right already."""

    created: list[str]
    changed: list[str]
    unchanged: list[str]
    dry_run: bool


class TargetGroup(Schema):
    """One entry of Prometheus' `http_sd`."""

    targets: list[str]
    labels: dict[str, str]
