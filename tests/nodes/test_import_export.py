"""The registry as a document, out and in."""

from __future__ import annotations

from typing import Any

import pytest

from core.policies.loader import PolicyError
from core.problems import Problem
from events.models import Event
from nodes import services, transfer
from nodes.models import Node
from nodes.registry import FIELDS, effective

pytestmark = pytest.mark.django_db

FULL = {
    "label": "Повний вузол",
    "role": "runtime",
    "env": "prod",
    "router_url": "http://10.0.0.5:9102",
    "gateway_url": "http://10.0.0.5:9300",
    "monitor_url": "http://10.0.0.5:9101",
    "auth_ref": "env:SUPERVISOR_API_KEY",
    "depends_on": ["b"],
    "tags": ["core", "no"],
    "labels": {"team": "core"},
    "paused": True,
    "poll_interval": "1500ms",
    "timeout": "3s",
    "offline_after": 4,
    "online_after": 2,
    "stale_after": "5m",
    "require": {"backends": {"alerts": ["postgres"]}, "artifact_max_age": {"risk_digest": "36h"}},
}
B = {"label": "B", "router_url": "http://10.0.0.6:1"}


def settled() -> dict[str, dict[str, Any]]:
    return {
        node.node_id: {name: effective(node).value(name) for name in FIELDS}
        for node in Node.objects.active()
    }


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_exported_imports_to_the_same(sync: Any, actor: Any, form: str) -> None:
    sync(a=FULL, b=B)
    services.update_node("b", {"label": "on", "poll_interval": "1h"}, actor)
    before = settled()
    text = transfer.export_yaml() if form == "yaml" else transfer.export_json().decode()
    nodes = transfer.read_document(text.encode())

    again = services.import_nodes(nodes, actor)
    assert (again.created, again.changed, again.unchanged) == ([], [], ["a", "b"])

    sync()
    for node in Node.objects.all():
        node.delete()
    services.import_nodes(nodes, actor)
    assert settled() == before


def test_an_export_is_a_registry_file(sync: Any, write_registry: Any, actor: Any) -> None:
    sync(a=FULL, b=B)
    path = write_registry({})
    path.write_text(transfer.export_yaml())

    assert services.sync_registry(actor).unchanged == 2


def test_the_environment_is_not_exported(sync: Any, set_environment: Any) -> None:
    set_environment(NODES_b_ROUTER_URL="http://10.9.9.9:1")
    sync(b=B)

    assert transfer.export_nodes()["nodes"]["b"]["router_url"] == "http://10.0.0.6:1"


def test_one_wrong_node_keeps_all_out(actor: Any) -> None:
    nodes = [
        {"node_id": "good", **B},
        {"node_id": "bad", "router_url": "http://8.8.8.8", "colour": "red"},
        {"node_id": "b/d", **B},
        {"node_id": "loop", **B, "depends_on": ["loop"]},
        {"node_id": "nowhere"},
    ]

    with pytest.raises(Problem) as refused:
        services.import_nodes(nodes, actor)

    assert {error["path"] for error in refused.value.errors} == {
        "nodes.bad.router_url",
        "nodes.bad.colour",
        "nodes.2.node_id",
        "nodes.loop.depends_on",
        "nodes.nowhere.monitor_url",
    }
    assert not Node.objects.exists()
    assert not Event.objects.exists()


def test_a_dry_run_says_what_would_happen_and_writes_nothing(actor: Any) -> None:
    services.create_node({"node_id": "b", **B}, actor)

    result = services.import_nodes(
        [{"node_id": "b", **B, "label": "New"}, {"node_id": "c", **B}], actor, dry_run=True
    )

    assert (result.created, result.changed) == (["c"], ["b"])
    assert Node.objects.count() == 1
    assert effective(Node.objects.get()).label == "B"


def test_nodes_of_one_import_may_depend_on_each_other(actor: Any) -> None:
    services.import_nodes(
        [{"node_id": "a", **B, "depends_on": ["b"]}, {"node_id": "b", **B}], actor
    )

    assert Node.objects.count() == 2


def test_a_node_given_twice_is_refused(actor: Any) -> None:
    with pytest.raises(Problem) as refused:
        services.import_nodes([{"node_id": "a", **B}, {"node_id": "a", **B}], actor)

    assert refused.value.errors[0]["path"] == "nodes.a.node_id"


@pytest.mark.parametrize("text", ["", "nodes: 7", "[]", "nodes: [1]", "nodes: {a: 1}", "hello"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises((Problem, PolicyError)):
        transfer.read_document(text.encode())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500ms"), (30.0, "30s"), (90, "90s"), (300, "5m"), (129_600, "36h"), (86_400, "1d")],
)
def test_durations_are_written_with_their_unit(seconds: float, text: str) -> None:
    assert transfer.written_duration(seconds) == text
