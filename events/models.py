"""The log itself and where it begins."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """One thing that happened. Ids ascend in commit order: who has seen id n has seen all that will ever be below n."""

    id = models.BigAutoField(primary_key=True)
    ts = models.DateTimeField()
    type = models.CharField(max_length=48)
    node_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  null = about no node, as in the envelope
    project_id = models.CharField(max_length=64, default="default")
    session_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    user_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    data = models.TextField()  # JSON, encoded once when the event is written

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["type", "id"], name="event_type_id"),
            models.Index(
                fields=["node_id", "id"], name="event_node_id", condition=Q(node_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class EventLog(models.Model):
    """The one row that says where the log begins and which log it is."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    pruned_through = models.BigIntegerField(default=0)
    log_id = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return f"log {self.log_id}, from {self.pruned_through + 1}"
