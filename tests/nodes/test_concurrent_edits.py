"""Several processes at the registry at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from core.audit.models import AuditRecord
from core.problems import Problem
from nodes import services
from nodes.models import Node, Revision

pytestmark = pytest.mark.django_db(transaction=True)

URL = "http://10.0.0.5:9102"


def at_once(number: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads got out of `act`, a Problem's code where it was refused."""
    barrier = Barrier(number)

    def run(index: int) -> Any:
        try:
            barrier.wait(5)
            return act(index)
        except Problem as problem:
            return problem.code
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))


def test_several_processes_that_start_together_write_the_registry_once(
    write_registry: Any, actor: Any
) -> None:
    write_registry({"nodes": {f"n{i}": {"label": "N", "router_url": URL} for i in range(20)}})

    results = at_once(4, lambda _index: services.sync_registry(actor))

    assert sorted(result.created for result in results) == [0, 0, 0, 20]
    assert Node.objects.count() == Revision.objects.count() == 20
    assert AuditRecord.objects.count() == 1


def test_an_id_is_given_to_one_of_two(actor: Any) -> None:
    data = {"node_id": "a", "router_url": URL}

    results = at_once(4, lambda _index: services.create_node(data, actor))

    assert results.count("node_exists") == 3
    assert Node.objects.count() == Revision.objects.count() == 1


def test_of_two_imports_of_a_new_node_one_is_told_to_come_again(actor: Any) -> None:
    nodes = [{"node_id": f"n{number}", "router_url": URL} for number in range(20)]

    results = at_once(4, lambda index: services.import_nodes(nodes[:: (-1) ** index], actor))

    assert {r if isinstance(r, str) else len(r.created) for r in results} <= {"node_exists", 20, 0}
    assert Node.objects.count() == Revision.objects.count() == 20


def test_an_edit_during_a_sync_is_not_lost(write_registry: Any, actor: Any) -> None:
    nodes = {f"n{i}": {"label": "N", "router_url": URL} for i in range(20)}
    write_registry({"nodes": nodes})
    services.sync_registry(actor)
    write_registry({"nodes": {id: {**node, "label": "M"} for id, node in nodes.items()}})

    def act(index: int) -> object:
        if index == 0:
            return services.sync_registry(actor)
        return [
            services.update_node(f"n{i}", {f"{'role' if index == 1 else 'env'}": "x"}, actor)
            for i in range(20)
        ]

    at_once(3, act)

    for node in Node.objects.all():
        assert (node.overrides, node.version) == ({"role": "x", "env": "x"}, 4)
        assert node.declared["label"] == "M"


def test_of_edits_from_one_version_one_is_taken(actor: Any) -> None:
    tags = {services.create_node({"node_id": "a", "router_url": URL}, actor).tag}

    results = at_once(
        4, lambda index: services.update_node("a", {"label": f"L{index}"}, actor, tags)
    )

    assert results.count("precondition_failed") == 3
    assert Node.objects.get().version == 2


def test_edits_of_different_fields_are_not_lost(actor: Any) -> None:
    services.create_node({"node_id": "a", "router_url": URL}, actor)
    changes: list[dict[str, Any]] = [
        {"label": "L"},
        {"role": "edge"},
        {"env": "dev"},
        {"tags": ["t"]},
    ]

    at_once(4, lambda index: services.update_node("a", changes[index], actor))

    assert Node.objects.get().overrides.keys() == {"router_url", "label", "role", "env", "tags"}
    assert Node.objects.get().version == 5
