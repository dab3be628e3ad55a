"""Pausing a node and announcing work on it, from its page."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from core.audit.models import AuditRecord
from nodes.models import Node, NodeState

pytestmark = pytest.mark.django_db
BUTTONS = [("pause", {}), ("resume", {}), ("maintenance", {"hours": "1"})]


def page_after(client: Client, what: str, **data: str) -> str:
    response = client.post(f"/ui/nodes/up/{what}", data)
    assert response.status_code == 302
    assert urlsplit(response.headers["Location"]).path == "/ui/nodes/up"
    return client.get(response.headers["Location"]).content.decode()


@pytest.mark.parametrize(("what", "data"), BUTTONS)
@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_change_nodes_may_not_pause_them(as_role, fleet, role, what, data):
    client = as_role(role)

    assert client.post(f"/ui/nodes/up/{what}", data).status_code == 403
    assert f"/ui/nodes/up/{what}" not in client.get("/ui/nodes/up").content.decode()


@pytest.mark.parametrize(("what", "data"), BUTTONS)
def test_a_button_needs_the_token_of_the_page(as_role, fleet, what, data):
    client = as_role("admin", enforce_csrf_checks=True)

    assert client.post(f"/ui/nodes/up/{what}", data).status_code == 403


@pytest.mark.parametrize(("what", "data"), BUTTONS)
def test_a_link_changes_nothing(as_role, fleet, what, data):
    assert as_role("admin").get(f"/ui/nodes/up/{what}", data).status_code == 405


def test_a_pause_says_who_set_it_and_when(as_role, fleet):
    NodeState.objects.update(since=timezone.now() - timedelta(days=9))

    text = page_after(as_role("admin"), "pause")

    assert "Paused: not probed until it is resumed." in text
    assert "<b>Paused</b> by <bdi>the-admin</bdi>" in text
    assert "9 d" not in text[text.index('id="live-head"') : text.index('id="live-chart"')]
    assert "/ui/nodes/up/resume" in text


def test_the_wall_says_who_paused_a_node(as_role, fleet):
    client = as_role("admin")
    page_after(client, "pause")

    assert "Paused by the-admin" in client.get("/ui/").content.decode()


def test_a_resumed_node_keeps_its_pause_in_its_past(as_role, fleet):
    client = as_role("admin")
    page_after(client, "pause")
    text = page_after(client, "resume")

    timeline = text[text.index('id="live-timeline"') :]
    assert timeline.index("<b>Resumed</b>") < timeline.index("<b>Paused</b>")
    assert "/ui/nodes/up/pause" in text


def test_maintenance_is_announced_and_ended(as_role, fleet):
    client = as_role("admin")

    text = page_after(client, "maintenance", hours="4")
    until = Node.objects.get(pk="up").maintenance_until
    assert until is not None
    assert timedelta(hours=3.9) < until - timezone.now() <= timedelta(hours=4)
    assert "set by the-admin" in text

    assert "Maintenance is over." in page_after(client, "maintenance", hours="0")
    assert Node.objects.get(pk="up").maintenance_until is None


@pytest.mark.parametrize("hours", ["", "2", "-1", "1e9", "x"])
def test_other_lengths_of_maintenance_are_refused(as_role, fleet, hours):
    response = as_role("admin").post("/ui/nodes/up/maintenance", {"hours": hours})

    assert response.status_code == 422


@pytest.mark.parametrize(("what", "data"), BUTTONS)
def test_a_node_that_is_not_there_is_not_found(as_role, db, what, data):
    assert as_role("admin").post(f"/ui/nodes/nobody/{what}", data).status_code == 404


def test_what_was_done_is_audited(as_role, fleet):
    page_after(as_role("admin"), "pause")

    assert AuditRecord.objects.filter(action="node.update", target="up", actor="the-admin").exists()


def test_an_invented_result_is_not_shown(client, fleet):
    text = client.get("/ui/nodes/up?done=anything").content.decode()

    assert '<p class="said" id="said" role="status"></p>' in text
