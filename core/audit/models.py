"""One row per write or refusal, each chained to the one before it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditRecord(models.Model):
    """Append-only. `digest` covers every other column and the digest of the row before (`previous`)."""

    seq = models.BigIntegerField(primary_key=True)
    ts = models.DateTimeField()
    actor = models.CharField(max_length=96)
    actor_kind = models.CharField(max_length=16)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=16)
    detail = models.TextField(default="{}")
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["seq"]
        indexes: ClassVar = [
            models.Index(fields=["action", "seq"], name="audit_action_seq"),
            models.Index(fields=["actor", "seq"], name="audit_actor_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.actor} {self.action} {self.target} {self.outcome}"
