"""What a node or an operator writes is shown as text and nothing else."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.factories import make_node
from tests.pages.conftest import HOSTILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def hostile_node():
    """A node that is hostile in every field that it or an operator fills."""
    now = timezone.now()
    telemetry = {
        "ts": HOSTILE,
        "router": {"ok": True, "latency_ms": 1.0},
        "open_incidents": 2,
        "backends": {HOSTILE: HOSTILE, "alerts": "memory"},
        "last_artifacts": {HOSTILE: HOSTILE},
        "service": HOSTILE,
        "version": HOSTILE,
        "node_id": HOSTILE,
    }
    return make_node(
        "bad",
        overrides={
            "label": HOSTILE, "role": HOSTILE, "env": HOSTILE, "tags": [HOSTILE], "labels": {HOSTILE: HOSTILE},
            "monitor_url": "http://127.0.0.1:9",
        },
        status="degraded", reasons=[HOSTILE], telemetry=telemetry, raw=HOSTILE, error=HOSTILE, probed_at=now, last_seen_at=now,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/ui/", "/ui/?view=table", "/ui/nodes/bad", "/ui/wall/tiles"])
def test_hostile_strings_are_escaped(as_role, hostile_node, path):
    text = as_role("admin").get(path).content.decode()

    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize("name", ["status", "env", "tag", "q", "view", "sort"])
def test_a_hostile_filter_is_escaped_or_ignored(client, hostile_node, name):
    text = client.get("/ui/", {name: HOSTILE}).content.decode()

    assert "<script>alert" not in text


@pytest.mark.parametrize("name", ["type", "node", "q"])
def test_a_hostile_event_filter_is_escaped(client, db, name):
    text = client.get("/ui/events", {name: HOSTILE}).content.decode()

    assert "<script>alert" not in text


@pytest.mark.parametrize(
    "path", ["/ui/<script>alert(1)</script>", "/ui/nodes/%3Cscript%3Ealert(2)"]
)
def test_a_hostile_address_is_not_shown_as_markup(client, db, path):
    response = client.get(path)

    assert response.status_code == 404
    assert b"<script>alert" not in response.content
