"""`/api/nodes` as programs see it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.audit.models import AuditRecord
from nodes import services
from nodes.models import Node, Transition
from tests.factories import make_node

pytestmark = pytest.mark.django_db

NEW = {"node_id": "edge-1", "label": "Edge", "router_url": "http://10.0.0.5:9102", "tags": ["far"]}


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    return client.generic(method, path, data, "application/json", headers=headers)


def test_a_node_is_created_read_changed_and_deleted(admin: Client) -> None:
    created = call(admin, "POST", "/api/nodes", NEW)
    assert created.status_code == 201, created.content
    assert created["Location"] == "/api/nodes/edge-1"
    first = created["ETag"]
    assert created.json()["urls"]["router_url"] == {
        "value": "http://10.0.0.5:9102",
        "source": "admin",
    }

    changed = call(admin, "PATCH", "/api/nodes/edge-1", {"label": "Far"}, if_match=first)
    assert changed.status_code == 200
    assert (changed.json()["label"], changed.json()["version"]) == ("Far", 2)
    assert changed["ETag"] != first

    read = admin.get("/api/nodes/edge-1")
    assert read.json()["label"] == "Far"
    assert read["ETag"] == changed["ETag"]
    assert read.json()["uptime"] == {"24h": None, "7d": None, "30d": None}

    assert call(admin, "DELETE", "/api/nodes/edge-1").status_code == 204
    gone = admin.get("/api/nodes/edge-1")
    assert (gone.status_code, gone.json()["code"]) == (404, "node_not_found")


@pytest.mark.parametrize("form", ["{}", "W/{}", "*", '"7", {}'])
def test_if_match_lets_the_version_in_force_through(admin: Client, form: str) -> None:
    tag = call(admin, "POST", "/api/nodes", NEW)["ETag"]

    answer = call(admin, "PATCH", "/api/nodes/edge-1", {"label": "Far"}, if_match=form.format(tag))

    assert answer.status_code == 200


def test_the_tag_of_a_deleted_node_is_not_one_of_its_successor(admin: Client) -> None:
    old = call(admin, "POST", "/api/nodes", NEW)["ETag"]
    call(admin, "DELETE", "/api/nodes/edge-1")
    new = call(admin, "POST", "/api/nodes", NEW)
    assert new.json()["version"] == 1

    answer = call(admin, "PATCH", "/api/nodes/edge-1", {"label": "Far"}, if_match=old)

    assert (answer.status_code, answer["ETag"]) == (412, new["ETag"])


@pytest.mark.parametrize("tag", ['"1"', '"2"', '"nonsense"', '""', "²"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_if_match_stops_an_edit_of_what_was_changed(admin: Client, method: str, tag: str) -> None:
    call(admin, "POST", "/api/nodes", NEW)

    answer = call(admin, method, "/api/nodes/edge-1", {"label": "Far"}, if_match=tag)

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert Node.objects.get().version == 1


def test_faults_are_422_with_their_paths(admin: Client) -> None:
    answer = call(
        admin, "POST", "/api/nodes", {"node_id": "a/b", "router_url": "http://8.8.8.8", "x": 1}
    )

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert {fault["path"] for fault in answer.json()["errors"]} == {"node_id", "router_url", "x"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ('{"label": NaN}', 400),
        ('{"label": "a", "label": "b"}', 400),
        ("[]", 422),
        ("null", 422),
    ],
)
def test_what_is_no_json_object_is_refused(admin: Client, body: str, status: int) -> None:
    assert call(admin, "POST", "/api/nodes", body).status_code == status


def test_a_viewer_reads_and_does_not_write(viewer: Client) -> None:
    make_node("a")

    assert viewer.get("/api/nodes/a").status_code == 200
    for method, path in (
        ("POST", "/api/nodes"),
        ("PATCH", "/api/nodes/a"),
        ("DELETE", "/api/nodes/a"),
        ("POST", "/api/nodes/a/probe"),
        ("POST", "/api/nodes/import"),
    ):
        assert call(viewer, method, path, {}).status_code == 403, (method, path)


def test_the_list_is_paged_by_id_and_counts_the_whole_fleet(admin: Client) -> None:
    for number in range(5):
        make_node(f"n{number}")

    first = admin.get("/api/nodes?limit=2").json()
    second = admin.get(f"/api/nodes?limit=2&after={first['next']}").json()
    third = admin.get(f"/api/nodes?limit=2&after={second['next']}").json()

    pages = [[node["node_id"] for node in page["items"]] for page in (first, second, third)]
    assert pages == [["n0", "n1"], ["n2", "n3"], ["n4"]]
    assert third["next"] is None
    assert first["summary"]["total"] == 5


def test_the_list_is_filtered(admin: Client) -> None:
    make_node("a", overrides={"router_url": "http://10.0.0.1:1", "tags": ["x"], "env": "prod"})
    make_node("b")

    assert [n["node_id"] for n in admin.get("/api/nodes?tag=x&env=prod").json()["items"]] == ["a"]
    assert admin.get("/api/nodes?status=nonsense").status_code == 422
    assert admin.get("/api/nodes?limit=501").status_code == 422


@pytest.mark.parametrize("number", [5, 50])
def test_the_list_costs_the_same_queries_however_long(admin: Client, number: int) -> None:
    for _ in range(number):
        make_node()

    with CaptureQueriesContext(connection) as queries:
        assert len(admin.get("/api/nodes").json()["items"]) == number

    assert len(queries) == 3  # the session, its user, the fleet


def test_older_clients_find_the_whole_fleet_at_dashboard(admin: Client) -> None:
    make_node("good", status="online", probed_at="2026-02-25T10:00:00Z")
    make_node("bad", status="offline", probed_at="2026-02-25T10:00:00Z")

    answer = admin.get("/api/nodes/dashboard").json()

    assert [node["node_id"] for node in answer["items"]] == ["bad", "good"]


def test_history_transitions_and_revisions_are_told(admin: Client) -> None:
    call(admin, "POST", "/api/nodes", NEW)
    for label in ("a", "b"):
        call(admin, "PATCH", "/api/nodes/edge-1", {"label": label})
    node = Node.objects.get()
    for after in ("online", "offline"):
        Transition.objects.create(node=node, ts=node.created_at, before="unknown", after=after)

    history = admin.get("/api/nodes/edge-1/history?range=1h").json()
    assert len(history["items"]) == 60
    assert admin.get("/api/nodes/edge-1/history?range=2h").status_code == 422

    page = admin.get("/api/nodes/edge-1/transitions?limit=1").json()
    assert page["items"][0]["after"] == "offline"
    rest = admin.get(f"/api/nodes/edge-1/transitions?limit=1&before={page['next']}").json()
    assert (rest["items"][0]["after"], rest["next"]) == ("online", None)

    edits = admin.get("/api/nodes/edge-1/revisions").json()["items"]
    assert [edit["version"] for edit in edits] == [3, 2, 1]
    assert edits[0]["change"] == {"label": ["a", "b"]}
    assert edits[0]["actor"] == "olena"


@pytest.mark.parametrize("part", ["", "/history", "/transitions", "/revisions"])
@pytest.mark.parametrize("node_id", ["nobody", "%00", "a%20b", "x" * 80])
def test_unknown_ids_are_404_in_the_contracts_form(admin: Client, node_id: str, part: str) -> None:
    answer = admin.get(f"/api/nodes/{node_id}{part}")

    assert (answer.status_code, answer.json()["code"]) == (404, "node_not_found")


def test_probing_answers_with_the_fresh_state(admin: Client, transactional_db: None) -> None:
    call(admin, "POST", "/api/nodes", {"node_id": "a", "monitor_url": "http://127.0.0.1:9"})

    answer = call(admin, "POST", "/api/nodes/a/probe")

    assert answer.status_code == 200
    facts = answer.json()
    assert facts["probed_at"] is not None
    assert facts["probe"]["consecutive_failures"] == 1
    assert facts["status"] == "degraded"


def test_probing_is_audited_once(admin: Client, transactional_db: None) -> None:
    make_node("a")
    before = AuditRecord.objects.count()

    call(admin, "POST", "/api/nodes/a/probe")
    call(admin, "POST", "/api/nodes/nobody/probe")

    (row,) = AuditRecord.objects.order_by("seq")[before:]
    assert (row.action, row.target, row.actor) == ("node.probe", "a", "olena")
    assert json.loads(row.detail)["status"] == "degraded"


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_export_goes_through_the_import(admin: Client, form: str) -> None:
    call(admin, "POST", "/api/nodes", {**NEW, "poll_interval": "5m"})
    exported = admin.get(f"/api/nodes/export?format={form}")
    assert exported.status_code == 200
    call(admin, "DELETE", "/api/nodes/edge-1")
    body = exported.content.decode()

    dry = call(admin, "POST", "/api/nodes/import?dry_run=true", body)
    assert dry.json() == {
        "created": ["edge-1"],
        "changed": [],
        "unchanged": [],
        "dry_run": True,
    }
    assert not Node.objects.exists()

    assert call(admin, "POST", "/api/nodes/import", body).json()["created"] == ["edge-1"]
    assert admin.get(f"/api/nodes/export?format={form}").content.decode() == body


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_export_of_5000_nodes_goes_through_the_import(admin: Client, form: str) -> None:
    spec = {"label": "Вузол", "router_url": "http://10.0.0.5:9102", "tags": ["core"], "env": "prod"}
    nodes = {f"node-{number:04}": spec for number in range(5000)}
    began = time.monotonic()
    assert len(call(admin, "POST", "/api/nodes/import", {"nodes": nodes}).json()["created"]) == 5000
    took_s = time.monotonic() - began

    body = admin.get(f"/api/nodes/export?format={form}").content.decode()
    answer = call(admin, "POST", "/api/nodes/import", body)

    assert answer.status_code == 200, answer.content[:500]
    assert len(answer.json()["unchanged"]) == 5000
    assert took_s < 20  # 3 s on a machine that is not busy


def test_an_import_that_is_wrong_says_where(admin: Client) -> None:
    broken = call(admin, "POST", "/api/nodes/import", "nodes: {a: [")
    wrong = call(admin, "POST", "/api/nodes/import", {"nodes": {"a": {"colour": "red"}}})

    assert broken.status_code == 400
    assert wrong.json()["errors"][0]["path"] == "nodes.a.colour"


def test_prometheus_finds_the_fleet(admin: Client, settings: Any, actor: Any) -> None:
    services.sync_registry(actor)

    groups = admin.get("/api/sd/prometheus").json()

    environment = settings.ENVIRONMENT
    assert [group["targets"] for group in groups] == [
        ["127.0.0.1:9300"],
        [f"{environment.bind_host}:{environment.port}"],
    ]
    assert groups[0]["labels"] == {
        "__meta_sofiia_node_id": "NODA1",
        "__meta_sofiia_label": "Production (NODA1)",
        "__meta_sofiia_role": "runtime",
        "__meta_sofiia_env": "prod",
        "__meta_sofiia_status": "unknown",
    }


def test_the_openapi_document_describes_the_node(admin: Client) -> None:
    document = admin.get("/api/openapi.json").json()

    operation = document["paths"]["/api/nodes"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["node_id"]
    assert operation["responses"]["201"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/NodeOut"
    }
    uptime = document["components"]["schemas"]["UptimeOut"]
    assert set(uptime["properties"]) == {"24h", "7d", "30d"}
