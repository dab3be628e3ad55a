"""Events are written in the transaction of what they tell, in bulk where there are many."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.db import transaction

from core.audit.services import record
from core.metrics import REGISTRY
from events import doorbell
from events.models import Event
from events.services import NewEvent, append, append_many
from tests.factories import principal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rings():
    heard: list[int] = []
    unlisten = doorbell.listen(lambda: heard.append(Event.objects.count()))
    yield heard
    unlisten()


@pytest.mark.parametrize("count", [1, 3, 19, 20, 500])
def test_ids_are_those_of_the_rows_in_order(count):
    before = append("error", {}).id
    ids = append_many([NewEvent("ops.run", {"n": n}, node_id="NODA1") for n in range(count)])
    rows = Event.objects.filter(id__gt=before).order_by("id")
    assert [row.id for row in rows] == ids
    assert [json.loads(row.data)["n"] for row in rows] == list(range(count))


@pytest.mark.parametrize("count", [1, 25])
def test_every_field_is_kept(count):
    hard = {
        "text": 'tab\t line\n back\\ quote" nul\x00 Київ 🛰',
        "at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    event = NewEvent("chat.message", hard, node_id="N", session_id="s", user_id="u", project_id="p")
    ids = append_many([event] * count)
    row = Event.objects.get(pk=ids[-1])
    assert json.loads(row.data) == {**hard, "at": "2026-01-02T00:00:00Z"}
    assert (row.type, row.node_id, row.session_id) == ("chat.message", "N", "s")
    assert (row.user_id, row.project_id) == ("u", "p")


def test_nothing_at_all_is_nothing():
    assert append_many([]) == []


def test_a_change_of_mind_leaves_no_event(rings):
    with suppress(RuntimeError), transaction.atomic():
        append("ops.run", {})
        raise RuntimeError
    assert Event.objects.count() == 0
    assert rings == []


def test_the_doorbell_rings_after_the_commit(rings):
    with transaction.atomic():
        append("ops.run", {})
        append("ops.run", {})
        assert rings == []
    assert rings[-1] == 2


def test_what_json_cannot_say_is_refused_before_anything_is_written():
    with pytest.raises(TypeError):
        append("ops.run", {"x": object()})
    assert Event.objects.count() == 0


def test_it_is_counted_by_type():
    labels = {"type": "alert"}
    before = REGISTRY.get_sample_value("sofiia_events_appended_total", labels) or 0
    append_many([NewEvent("alert", {})] * 3)
    assert REGISTRY.get_sample_value("sofiia_events_appended_total", labels) == before + 3


def test_an_audit_record_is_an_event_too():
    made = record("node.update", actor=principal(name="olena"), target="NODA1")
    event = Event.objects.get(type="audit")
    data = json.loads(event.data)
    assert data["seq"] == made.seq
    assert (data["actor"], data["action"], data["target"]) == ("olena", "node.update", "NODA1")
