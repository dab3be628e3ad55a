"""Nodes, what is known of them now, and what was known of them before."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from core.fields import FastJSONField


class Status(models.TextChoices):
    """What the console says of a node."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


class NodeQuerySet(models.QuerySet["Node"]):
    """Readings of the registry's rows."""

    def active(self) -> NodeQuerySet:
        """Nodes of the fleet: not retired."""
        return self.filter(retired_at=None)


class Node(models.Model):
    """A node of the registry.

    `declared` holds the fields that the YAML registry gives it (None: not in the file), `overrides` those that an
    operator set in the admin or the API. The environment outranks both and is never stored: see `registry.effective`.
    """

    node_id = models.CharField(max_length=64, primary_key=True)
    declared = FastJSONField(null=True, blank=True, editable=False)
    overrides = FastJSONField(default=dict, blank=True)
    maintenance_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["node_id"]

    def __str__(self) -> str:
        return self.node_id

    @property
    def tag(self) -> str:
        """The name of this revision, for `ETag` and `If-Match`: one that no node has had that was deleted before."""
        return f"{self.version}-{round(self.created_at.timestamp() * 1_000_000):x}"


class NodeState(models.Model):
    """What is known of a node now, its place in the probing schedule, and the open buckets of its history.

    One row, one writer: the poller that holds the claim (`claimed_by`, `fence`). A result that comes back under an older
    fence is not written.
    """

    node = models.OneToOneField(
        Node, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.UNKNOWN)
    reasons = FastJSONField(default=list)
    since = models.DateTimeField(default=timezone.now)
    probed_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=16, default="none")  # monitor | healthz | health | none
    latency_ms = models.FloatField(null=True)
    error = models.CharField(max_length=200, null=True)  # noqa: DJ001  null = no error
    failures = models.PositiveIntegerField(default=0)  # consecutive
    successes = models.PositiveIntegerField(default=0)  # consecutive
    telemetry = FastJSONField(default=dict)  # normalised, see nodes.telemetry
    raw = models.TextField(default="")  # the body as it came, cut at a cap
    recent = FastJSONField(default=list)  # last 40 probes: [unix seconds, latency ms or null, mark]
    open_buckets = FastJSONField(default=dict)  # per resolution, see nodes.history
    uptime = FastJSONField(default=dict)  # closed part of 24h/7d/30d, see nodes.history
    updated_at = models.DateTimeField(default=timezone.now)

    paused = models.BooleanField(default=False)
    next_probe_at = models.DateTimeField(default=timezone.now, db_index=True)
    claimed_until = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=64, default="")
    fence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.node_id}: {self.status}"


class NodeProbe(models.Model):
    """One probe, kept for a short time."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    ts = models.DateTimeField()
    mark = models.CharField(max_length=1)  # see nodes.history.Mark
    latency_ms = models.FloatField(null=True)
    error = models.CharField(max_length=200, null=True)  # noqa: DJ001

    class Meta:
        indexes: ClassVar = [models.Index(fields=["node", "ts"], name="probe_node_ts")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.ts:%Y-%m-%dT%H:%M:%SZ} {self.mark}"


class NodeBucket(models.Model):
    """A closed bucket of history. The open ones live in `NodeState.open_buckets`."""

    class Resolution(models.TextChoices):
        M5 = "5m"
        H1 = "1h"
        D1 = "1d"

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    resolution = models.CharField(max_length=2, choices=Resolution)
    ts = models.DateTimeField()  # its beginning
    probes = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    degraded = models.PositiveIntegerField()
    unknown = models.PositiveIntegerField()
    latency = FastJSONField()  # sketch, see nodes.history

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "resolution", "ts"], name="bucket_once")
        ]

    def __str__(self) -> str:
        return f"{self.node_id} {self.resolution} {self.ts:%Y-%m-%dT%H:%M:%SZ}"


class Transition(models.Model):
    """A change of status: the node's timeline."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    ts = models.DateTimeField()
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    reasons = FastJSONField(default=list)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["node", "-ts"], name="transition_node_ts")]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.before} to {self.after}"


class Revision(models.Model):
    """One edit of a node: who, when, what it was and what it became."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    ts = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=96)
    change = FastJSONField(default=dict)  # {field: [before, after]}

    class Meta:
        ordering: ClassVar = ["-version"]

    def __str__(self) -> str:
        return f"{self.node_id} version {self.version}"
