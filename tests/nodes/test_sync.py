"""The registry file becomes rows, and stays in step with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from core.audit.models import AuditRecord
from core.policies.loader import PolicyError
from core.problems import Problem
from events.models import Event
from nodes import services
from nodes.models import Node, NodeState, Revision
from nodes.queries import fleet
from nodes.registry import effective

pytestmark = pytest.mark.django_db

A = {"label": "A", "router_url": "http://10.0.0.1:1"}
B = {"label": "B", "router_url": "http://10.0.0.2:1"}


def test_the_shipped_registry_has_the_runbooks_two_nodes(actor: Any) -> None:
    services.sync_registry(actor)

    noda1, noda2 = (effective(Node.objects.get(pk=id)) for id in ("NODA1", "NODA2"))
    assert noda1.router_url == "http://127.0.0.1:9102"
    assert noda2.is_self


def test_it_makes_rows_states_history_audit_and_events(sync: Any) -> None:
    result = sync(a=A, b=B)

    assert (result.created, result.changed, result.retired, result.unchanged) == (2, 0, 0, 0)
    assert NodeState.objects.count() == 2
    assert Revision.objects.get(node_id="a").change["label"] == [None, "A"]
    assert AuditRecord.objects.get().action == "registry.sync"
    events = [
        orjson.loads(event.data)
        for event in Event.objects.filter(type="node.changed").order_by("id")
    ]
    assert [(event["node_id"], event["action"]) for event in events] == [
        ("a", "created"),
        ("b", "created"),
    ]


def test_a_second_time_it_writes_nothing(sync: Any) -> None:
    sync(a=A, b=B)
    before = Event.objects.count(), AuditRecord.objects.count(), Revision.objects.count()

    result = sync(a=A, b=B)

    assert result.unchanged == 2
    assert (Event.objects.count(), AuditRecord.objects.count(), Revision.objects.count()) == before


def test_a_changed_address_is_probed_at_once_and_voids_the_probe_under_way(sync: Any) -> None:
    sync(a=A)
    NodeState.objects.update(claimed_by="poller", claimed_until=timezone.now(), fence=7)

    result = sync(a={**A, "router_url": "http://10.0.0.9:1"})

    state = NodeState.objects.get()
    assert result.changed == 1
    assert (state.fence, state.claimed_until, state.claimed_by) == (8, None, "")
    assert state.next_probe_at <= timezone.now()
    assert Node.objects.get().version == 2


def test_a_new_label_leaves_the_probe_under_way_alone(sync: Any) -> None:
    sync(a=A)
    NodeState.objects.update(claimed_by="poller", fence=7)

    sync(a={**A, "label": "Other"})

    assert NodeState.objects.get().fence == 7


def test_a_node_that_vanished_is_retired_and_comes_back_with_its_past(
    sync: Any, actor: Any
) -> None:
    sync(a=A, b=B)
    services.update_node("a", {"tags": ["core"]}, actor)

    gone = sync(b=B)
    assert gone.retired == 1
    assert [view.node.node_id for view in fleet().nodes] == ["b"]
    assert NodeState.objects.get(pk="a").paused
    with pytest.raises(Problem):
        services.update_node("a", {"label": "x"}, actor)

    back = sync(a=A, b=B)
    assert back.created == 1
    assert effective(Node.objects.get(pk="a")).tags == ["core"]
    assert not NodeState.objects.get(pk="a").paused
    assert Revision.objects.filter(node_id="a").count() == 4


def test_a_node_with_an_operators_address_outlives_its_entry(sync: Any, actor: Any) -> None:
    sync(a=A, b=B)
    services.update_node("a", {"router_url": "http://10.0.0.7:1"}, actor)

    assert sync(b=B).retired == 0

    node = Node.objects.get(pk="a")
    assert node.retired_at is None
    assert Node.objects.filter(declared__isnull=True).get() == node
    assert effective(node).router_url == "http://10.0.0.7:1"
    services.delete_node("a", actor)


def test_an_operators_own_node_is_none_of_the_files_business(sync: Any, actor: Any) -> None:
    services.create_node({"node_id": "mine", "monitor_url": "http://10.0.0.3:1"}, actor)

    sync(a=A)

    assert Node.objects.active().count() == 2


def test_a_broken_file_changes_nothing(sync: Any, write_registry: Any, actor: Any) -> None:
    sync(a=A)
    write_registry({"nodes": {"a": {"router_url": "nonsense"}}})

    with pytest.raises(PolicyError):
        services.sync_registry(actor)

    assert effective(Node.objects.get()).router_url == "http://10.0.0.1:1"


def test_first_probes_of_many_nodes_are_spread(sync: Any) -> None:
    started = timezone.now()

    sync(**{f"n{number}": A for number in range(100)})

    due = [state.next_probe_at for state in NodeState.objects.all()]
    assert max(due) - min(due) > timedelta(seconds=1)
    assert max(due) - started < timedelta(seconds=4)


def test_a_paused_entry_is_not_probed(sync: Any) -> None:
    sync(a={**A, "paused": True})

    assert NodeState.objects.get().paused
