"""Pauses and announced work: who set them and when, read from the revisions of the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils.dateparse import parse_datetime

from nodes.models import Revision
from nodes.queries import NodeView


class Intervention(NamedTuple):
    """What an operator did to a node. `state` is `paused`, `maintenance`, or empty where they ended it."""

    field: str
    state: str
    words: str
    actor: str
    ts: datetime


def interventions(revisions: Iterable[Revision]) -> Iterator[Intervention]:
    """The pauses and maintenance among the revisions, in their order."""
    for row in revisions:
        for field in ("paused", "maintenance_until"):
            change = row.change.get(field)
            if isinstance(change, list) and len(change) == 2:
                before, after = change
                if before or after:
                    state, words = _said(field, after)
                    yield Intervention(field, state, words, row.actor, row.ts)


def _said(field: str, value: object) -> tuple[str, str]:
    if field == "paused":
        return ("paused", "Paused") if value else ("", "Resumed")
    if not value:
        return "", "Maintenance ended"
    until = parse_datetime(str(value))
    when = f" until {until.astimezone(UTC):%-d %b %H:%M} UTC" if until else ""
    return "maintenance", f"Maintenance{when}"


def standing(views: Iterable[NodeView]) -> dict[str, Intervention]:
    """For every node that is paused or in maintenance now, the edit that made it so: one query, or none."""
    fields = {
        view.node.node_id: "paused" if view.paused else "maintenance_until"
        for view in views
        if view.paused or view.in_maintenance
    }
    if not fields:
        return {}
    rows = Revision.objects.filter(node_id__in=fields).order_by("version")
    return {
        row.node_id: found
        for row in rows
        for found in interventions([row])
        if found.state and found.field == fields[row.node_id]
    }
