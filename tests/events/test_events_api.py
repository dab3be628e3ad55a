"""Events over REST: pages of the log by id, and appending."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from core.audit.models import AuditRecord
from events import queries
from events.models import Event
from events.services import NewEvent, append, append_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api():
    return Client(headers={"host": "localhost"})


def get(api: Client, **query: object) -> dict:
    response = api.get("/api/events", query)
    assert response.status_code == 200, response.content
    return response.json()


def ids_of(page: dict) -> list[int]:
    return [item["id"] for item in page["items"]]


def test_it_lists_the_newest_first(api):
    ids = append_many([NewEvent("ops.run", {"n": n}) for n in range(60)])
    page = get(api)
    assert ids_of(page) == ids[:-51:-1]
    rest = get(api, before=page["next"])
    assert ids_of(rest) == ids[9::-1]
    assert rest["next"] is None


def test_it_lists_oldest_first_after_an_id(api):
    ids = append_many([NewEvent("ops.run", {})] * 7)
    page = get(api, after=ids[1], limit=3)
    assert ids_of(page) == ids[2:5]
    assert ids_of(get(api, after=page["next"], limit=3)) == ids[5:]


def test_an_item_is_the_frame_of_the_stream(api):
    event = append("ops.run", {"run_id": 1}, node_id="NODA1")
    (item,) = get(api)["items"]
    assert item == {
        "v": 1, "id": event.id, "type": "ops.run", "ts": item["ts"], "node_id": "NODA1", "project_id": "default",
        "session_id": None, "user_id": None, "data": {"run_id": 1},
    }  # fmt: skip
    assert item["ts"].endswith("Z")


def test_it_filters_by_types_and_node(api):
    a, b, c = (append(t, {}, node_id=n).id for t, n in (("x", "N1"), ("y", "N1"), ("x", "N2")))
    append("z", {})
    assert ids_of(get(api, type="x")) == [c, a]
    assert ids_of(get(api, type="y,x")) == [c, b, a]
    assert ids_of(get(api, type="x,y", after=0)) == [a, b, c]
    assert ids_of(get(api, node="N1")) == [b, a]


def test_it_searches_a_stretch_of_the_log_at_a_time(api, monkeypatch):
    monkeypatch.setattr(queries, "SEARCH_WINDOW", 10)
    found = append("x", {"name": "Needle"}).id
    append_many([NewEvent("x", {})] * 25)
    page, looked = get(api, q="needle"), 1
    while not page["items"]:
        page, looked = get(api, q="needle", before=page["next"]), looked + 1
    assert ids_of(page) == [found]
    assert looked == 3


def test_the_audit_is_not_for_everybody(api):
    append("audit", {})
    seen = append("x", {}).id
    assert ids_of(get(api)) == [seen]
    assert ids_of(get(api, type="audit")) == []


@pytest.mark.parametrize(
    "query", [{"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 501}, {"after": "x"}]
)
def test_a_page_that_cannot_be_is_refused(api, query):
    response = api.get("/api/events", query)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"


def test_a_row_written_by_hand_is_shown_as_unreadable(api):
    event = append("x", {})
    Event.objects.filter(pk=event.id).update(data="{cut")
    assert get(api)["items"][0]["data"]["code"] == "unreadable"


def post(api: Client, body: object, **headers: str):
    text = body if isinstance(body, str) else json.dumps(body)
    return api.post("/api/events", text, content_type="application/json", headers=headers)


@pytest.fixture
def writer(api, console_key):
    api.defaults["HTTP_AUTHORIZATION"] = f"Bearer {console_key}"
    return api


def test_one_event_is_appended(writer):
    response = post(writer, {"type": "chat.message", "data": {"text": "hi"}, "session_id": "s1"})
    assert response.status_code == 201
    event = Event.objects.get(pk=response.json()["ids"][0])
    assert (event.type, event.session_id) == ("chat.message", "s1")
    assert json.loads(event.data) == {"text": "hi"}


def test_many_are_appended_in_order(writer):
    response = post(writer, [{"type": "x", "data": {"n": n}} for n in range(3)])
    assert response.json()["ids"] == list(
        Event.objects.filter(type="x").order_by("id").values_list("id", flat=True)
    )


@pytest.mark.parametrize(
    "event",
    [
        {"type": "Ops Run"}, {"type": "1x"}, {"type": "a" * 49}, {"type": ""}, {"type": "audit"}, {"type": "nodes.status"},
        {"type": "policy.changed"}, {"type": "x", "data": []}, {"type": "x", "data": {"t": "x" * 65_536}},
        {"type": "x", "node_id": "a/b"}, {"type": "x", "project_id": "p" * 65}, {"data": {}}, [],
        [{"type": "x"}, {"type": "audit"}], [{"type": "x"}] * 501, "{", "7",
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_whole(writer, event):
    response = post(writer, event)
    assert response.status_code in (400, 422)
    assert response["Content-Type"] == "application/problem+json"
    assert not Event.objects.exclude(type="audit").exists()


def test_appending_needs_the_right(api, console_key):
    assert post(api, {"type": "x"}).status_code == 401


def test_who_sent_which_ids_is_one_audit_record(writer):
    body = [{"type": "deploy.done", "data": {}}, {"type": "deploy.seen", "data": {}}]
    ids = post(writer, body).json()["ids"]

    record = AuditRecord.objects.filter(action="event.append").get()
    detail = json.loads(record.detail)
    assert [detail["first_id"], detail["last_id"]] == ids
    assert detail["types"] == ["deploy.done", "deploy.seen"]
    assert record.actor_kind == "bootstrap"


@pytest.mark.parametrize("field", ["project_id", "session_id", "user_id"])
@pytest.mark.parametrize("text", ["a\\u0000b", "a\\nb", "\\u007f", "\\u0085", "\\ud800"])
def test_ids_hold_no_control_characters(api, field, text):
    body = f'{{"type": "ops.run", "{field}": "{text}"}}'
    response = api.post("/api/events", body, content_type="application/json")
    assert response.status_code in (400, 422)
    assert not Event.objects.exists()


@pytest.mark.parametrize("query", ["node=%00", "type=%00", "q=%00", "type=a,%00b", "node=a%0Ab"])
def test_a_filter_holds_no_control_characters(api, query):
    assert api.get(f"/api/events?{query}").status_code in (400, 422)


def test_ids_may_be_of_any_language(api):
    body = {"type": "ops.run", "session_id": "сесія 1", "user_id": "Олена"}
    response = api.post("/api/events", body, content_type="application/json")
    assert response.status_code == 201
    (item,) = get(api)["items"]
    assert (item["session_id"], item["user_id"]) == ("сесія 1", "Олена")
