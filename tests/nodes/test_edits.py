"""Edits of operators: what they write, what they refuse, and that they are all or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from core.audit.models import AuditRecord
from core.problems import Problem
from events.models import Event
from nodes import services
from nodes.models import Node, NodeState, Revision
from nodes.registry import Sourced, effective

pytestmark = pytest.mark.django_db

URL = "http://10.0.0.5:9102"


@pytest.fixture
def node(actor: Any) -> Node:
    return services.create_node({"node_id": "edge-1", "router_url": URL, "label": "Edge"}, actor)


def written() -> tuple[int, int, int]:
    changed = Event.objects.filter(type="node.changed")
    return Revision.objects.count(), AuditRecord.objects.count(), changed.count()


def test_a_new_node_has_a_state_a_revision_an_audit_record_and_an_event(node: Node) -> None:
    assert written() == (1, 1, 1)
    assert NodeState.objects.get().next_probe_at <= timezone.now() + timedelta(seconds=1)
    audit = AuditRecord.objects.get()
    assert (audit.action, audit.target, audit.actor) == ("node.create", "edge-1", "olena")
    event = orjson.loads(Event.objects.get(type="node.changed").data)
    assert (event["action"], event["label"], event["by"]) == ("created", "Edge", "olena")


def test_an_edit_keeps_who_when_what_it_was_and_became(node: Node, actor: Any) -> None:
    services.update_node("edge-1", {"label": "Far edge", "tags": ["far"]}, actor)

    revision = Revision.objects.filter(node_id="edge-1").first()
    assert revision is not None
    assert (revision.version, revision.actor) == (2, "olena")
    assert revision.change == {"label": ["Edge", "Far edge"], "tags": [None, ["far"]]}
    assert written() == (2, 2, 2)


def test_an_edit_that_changes_nothing_writes_nothing(node: Node, actor: Any) -> None:
    before = written()

    services.update_node("edge-1", {"label": "Edge"}, actor)

    assert written() == before


def test_null_takes_an_override_back(sync: Any, actor: Any) -> None:
    sync(a={"label": "File", "router_url": URL})
    services.update_node("a", {"label": "Mine", "poll_interval": "5m"}, actor)
    assert effective(Node.objects.get()).fields["label"] == Sourced("Mine", "admin")
    assert effective(Node.objects.get()).poll_interval == 300

    services.update_node("a", {"label": None, "poll_interval": None}, actor)

    assert effective(Node.objects.get()).fields["label"] == Sourced("File", "yaml")
    assert Node.objects.get().overrides == {}


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ({"colour": "red"}, {"colour"}),
        ({"label": ""}, {"label"}),
        ({"label": "x" * 201}, {"label"}),
        ({"label": "a\r\nb"}, {"label"}),
        ({"label": 7}, {"label"}),
        ({"router_url": "http://169.254.169.254/"}, {"router_url"}),
        ({"router_url": "http://8.8.8.8/"}, {"router_url"}),
        ({"gateway_url": "file:///etc/passwd"}, {"gateway_url"}),
        ({"router_url": "self"}, {"router_url"}),
        ({"auth_ref": "env:SOFIIA_CONSOLE_API_KEY"}, {"auth_ref"}),
        ({"auth_ref": "the-key-itself"}, {"auth_ref"}),
        ({"tags": ["ok", ""]}, {"tags.1"}),
        ({"tags": ["ok", "a,b"]}, {"tags.1"}),
        ({"auth_ref": "env:PATH"}, {"auth_ref"}),
        ({"auth_ref": "file:/run/secrets/sofiia_console_api_key"}, {"auth_ref"}),
        ({"poll_interval": 30}, {"poll_interval"}),
        ({"poll_interval": "1 fortnight"}, {"poll_interval"}),
        ({"offline_after": 0}, {"offline_after"}),
        ({"depends_on": ["nobody"]}, {"depends_on"}),
        ({"depends_on": ["edge-1"]}, {"depends_on"}),
        ({"maintenance_until": "soon"}, {"maintenance_until"}),
        ({"maintenance_until": "2026-02-30T10:00:00Z"}, {"maintenance_until"}),
        ({"maintenance_until": "2020-01-01T00:00:00Z"}, {"maintenance_until"}),
        ({"maintenance_until": "2090-01-01T00:00:00"}, {"maintenance_until"}),
        ({"router_url": None}, {"monitor_url"}),
        (
            {"label": "", "router_url": "http://8.8.8.8", "x": 1, "timeout": "0s"},
            {"label", "router_url", "x", "timeout"},
        ),
    ],
)
def test_every_fault_is_told_with_its_path_and_nothing_is_written(
    node: Node, actor: Any, data: dict[str, Any], paths: set[str]
) -> None:
    before = written()

    with pytest.raises(Problem) as refused:
        services.update_node("edge-1", data, actor)

    assert refused.value.status == 422
    assert {error["path"] for error in refused.value.errors} == paths
    assert written() == before


def test_self_is_an_address_of_the_monitor_only(node: Node, actor: Any) -> None:
    services.update_node("edge-1", {"monitor_url": "self"}, actor)

    assert effective(Node.objects.get()).is_self


@pytest.mark.parametrize("node_id", ["", "a b", "a/b", "ü", "x" * 65, "..", "a\n", None, 7])
def test_an_id_is_made_of_letters_digits_and_three_signs(actor: Any, node_id: Any) -> None:
    with pytest.raises(Problem) as refused:
        services.create_node({"node_id": node_id, "router_url": URL}, actor)

    assert [error["path"] for error in refused.value.errors] == ["node_id"]


def test_an_id_is_given_once(node: Node, actor: Any) -> None:
    with pytest.raises(Problem) as refused:
        services.create_node({"node_id": "edge-1", "router_url": URL}, actor)

    assert refused.value.code == "node_exists"


def test_dependencies_do_not_go_in_a_circle(node: Node, actor: Any) -> None:
    services.create_node({"node_id": "b", "router_url": URL, "depends_on": ["edge-1"]}, actor)

    with pytest.raises(Problem) as refused:
        services.update_node("edge-1", {"depends_on": ["b"]}, actor)

    assert refused.value.errors[0]["message"] == "goes in a circle: edge-1 → b → edge-1"


def test_an_edit_from_the_revision_in_force_is_taken(node: Node, actor: Any) -> None:
    for known in ({node.tag}, None):
        node = services.update_node("edge-1", {"label": f"New {known}"}, actor, known)

    assert Node.objects.get().version == 3


@pytest.mark.parametrize("known", [set(), {"1"}, {"7-abc"}, {""}])
def test_an_edit_from_another_revision_is_refused(node: Node, actor: Any, known: set[str]) -> None:
    with pytest.raises(Problem) as refused:
        services.update_node("edge-1", {"label": "New"}, actor, known)

    assert refused.value.status == 412
    assert refused.value.headers["ETag"] == f'"{node.tag}"'


def test_pausing_and_resuming_are_seen_by_the_poller(node: Node, actor: Any) -> None:
    services.pause("edge-1", actor)
    assert NodeState.objects.get().paused

    services.resume("edge-1", actor)
    state = NodeState.objects.get()
    assert not state.paused
    assert state.next_probe_at <= timezone.now()
    assert Node.objects.get().overrides.keys() == {"router_url", "label"}


def test_a_node_that_the_file_pauses_can_be_resumed(sync: Any, actor: Any) -> None:
    sync(a={"label": "A", "router_url": URL, "paused": True})

    services.resume("a", actor)

    assert effective(Node.objects.get()).fields["paused"] == Sourced(False, "admin")


def test_maintenance_begins_and_ends(node: Node, actor: Any) -> None:
    until = timezone.now() + timedelta(hours=1)

    services.set_maintenance("edge-1", until, actor)
    assert Node.objects.get().maintenance_until == until

    services.set_maintenance("edge-1", None, actor)
    assert Node.objects.get().maintenance_until is None


def test_deleting_leaves_an_audit_record_and_an_event(node: Node, actor: Any) -> None:
    services.delete_node("edge-1", actor)

    assert not Node.objects.exists()
    audit = AuditRecord.objects.order_by("seq").last()
    assert audit is not None
    assert (audit.action, audit.target) == ("node.delete", "edge-1")
    detail = orjson.loads(audit.detail)
    assert detail["change"] == {"label": ["Edge", None], "router_url": [URL, None]}
    assert detail["version"] == 1
    event = Event.objects.filter(type="node.changed").order_by("id").last()
    assert event is not None
    assert (event.node_id, orjson.loads(event.data)["action"]) == ("edge-1", "deleted")


def test_the_last_settings_of_a_deleted_node_stay_in_the_audit_however_many(actor: Any) -> None:
    tags = [f"t{number:02}" + "x" * 60 for number in range(50)]
    labels = {f"l{number}": "я" * 190 for number in range(50)}
    for number in range(200):
        services.create_node({"node_id": f"{'n' * 60}{number}", "router_url": URL}, actor)
    settings = {
        "node_id": "a",
        "router_url": URL,
        "tags": tags,
        "labels": labels,
        "depends_on": [f"{'n' * 60}{number}" for number in range(200)],
        "auth_ref": "env:A_KEY",
    }
    services.create_node(settings, actor)
    until = timezone.now() + timedelta(hours=1)
    services.set_maintenance("a", until, actor)

    services.delete_node("a", actor)

    audit = AuditRecord.objects.get(action="node.delete")
    change = orjson.loads(audit.detail)["change"]
    assert change["router_url"] == [URL, None]
    assert change["auth_ref"] == ["env:A_KEY", None]
    assert change["maintenance_until"] == [until.isoformat(), None]
    assert change["tags"].startswith('[["t00xx')
    assert change.keys() == settings.keys() - {"node_id"} | {"maintenance_until"}


def test_a_declared_node_is_removed_in_the_file(sync: Any, actor: Any) -> None:
    sync(a={"label": "A", "router_url": URL})

    with pytest.raises(Problem) as refused:
        services.delete_node("a", actor)

    assert (refused.value.status, refused.value.code) == (409, "node_declared")
    assert "nodes_registry.yml" in refused.value.detail


def test_a_node_that_others_need_stays(node: Node, actor: Any) -> None:
    services.create_node({"node_id": "b", "router_url": URL, "depends_on": ["edge-1"]}, actor)

    with pytest.raises(Problem) as refused:
        services.delete_node("edge-1", actor)

    assert refused.value.code == "node_in_use"
