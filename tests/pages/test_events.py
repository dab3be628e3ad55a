"""The page of the log, as it is before any script runs."""

from __future__ import annotations

import re

import pytest

from events.services import NewEvent, append, append_many

pytestmark = pytest.mark.django_db


def shown(response) -> list[int]:
    return [int(found) for found in re.findall(r'id="event-(\d+)"', response.content.decode())]


def test_the_newest_events_are_there_without_scripts(client):
    ids = append_many([NewEvent("error", {"code": "x"})] * 60)

    response = client.get("/ui/events")

    assert shown(response) == ids[:-51:-1]
    assert "Not live: JavaScript is off" in response.content.decode()


def test_a_row_has_the_state_and_the_sentence_of_the_event(client):
    changed = [{"node_id": "NODA1", "status": "offline", "reasons": ["connection <refused>"]}]
    append("nodes.status", {"summary": {"total": 1, "offline": 1}, "changed": changed})

    text = client.get("/ui/events").content.decode()

    assert 'class="g g-offline"' in text
    assert "NODA1 is offline (connection &lt;refused&gt;). 1 node: 1 offline" in text
    assert '<span class="node">NODA1</span>' in text


@pytest.mark.parametrize(
    ("query", "finds"),
    [("q=needle", True), ("q=NEEDLE&type=error", True), ("node=NODA1", True), ("type=alert", False),
     ("q=hay", False), ("node=no%20node", False), ("q=%00needle%0a", True), ("node=%00", True)],
)  # fmt: skip
def test_the_filters_of_the_address_hold(client, query, finds):
    id = append("error", {"code": "needle"}, node_id="NODA1").id

    assert shown(client.get(f"/ui/events?{query}")) == ([id] if finds else [])


def test_nothing_found_is_not_nothing_happened(client):
    assert "Nothing has happened yet" in client.get("/ui/events").content.decode()

    text = client.get("/ui/events?q=absent").content.decode()
    assert "No event matches" in text
    assert "Clear filters" in text


def test_only_admins_see_the_audit(client, as_role):
    append("audit", {"actor": "alice", "action": "session.login", "outcome": "done"})

    assert "alice logged in" not in client.get("/ui/events").content.decode()
    assert "alice logged in" not in as_role("operator").get("/ui/events").content.decode()
    assert "alice logged in" in as_role("admin").get("/ui/events").content.decode()
