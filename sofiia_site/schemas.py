"""Shapes of the health and status answers, as the OpenAPI document tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Field, Schema


class Identity(Schema):
    """Who this console is."""

    service: str
    version: str
    build_id: str
    env: str
    uptime_s: float


class Health(Identity):
    """The process answers."""

    status: str = Field(description="always ok")


class Bff(Identity):
    """This console's web part."""

    aistalk_enabled: bool
    ws_clients: int = Field(description="open event streams of this process")


class Upstream(Schema):
    """A service beside the console; `ok` null: nobody is configured there."""

    ok: bool | None
    url: str | None
    latency_ms: float | None
    error: str | None


class Ollama(Upstream):
    models: list[str]


class Aistalk(Upstream):
    enabled: bool


class Database(Schema):
    ok: bool
    engine: str
    latency_ms: float | None
    error: str | None


class ChannelLayer(Schema):
    ok: bool
    backend: str
    error: str | None


class Poller(Schema):
    ok: bool
    last_cycle_at: datetime | None
    interval_s: float | None
    error: str | None


class Worker(Schema):
    ok: bool | None
    queued: int
    running: int
    error: str | None


class Counts(Schema):
    """How many nodes are in which state; null while the database is away."""

    total: int | None
    online: int | None
    degraded: int | None
    offline: int | None
    unknown: int | None
    maintenance: int | None


class FullStatus(Schema):
    """The whole report."""

    bff: Bff
    router: Upstream
    memory: Upstream
    ollama: Ollama
    aistalk: Aistalk
    database: Database
    channel_layer: ChannelLayer
    poller: Poller
    worker: Worker
    nodes: Counts
    backends: dict[str, str]
    parity: dict[str, Any] | None = Field(description="the last verification; null: never verified")
