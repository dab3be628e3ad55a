"""A fleet in the console's registry."""

from __future__ import annotations

import asyncio

import pytest

from core.access.principals import system
from core.policies.loader import load_policy
from nodes.models import Node
from nodes.policy import NodesRegistry
from nodes.registry import effective
from nodes.services import create_node
from nodes.simulator import Fleet, run_fleet
from nodes.simulator.registration import register, registry_yaml

ACTOR = system("simulator")
pytestmark = pytest.mark.django_db


def started(count, mix="honest=1", seed=1):
    """A fleet whose ports are known, though nobody listens any more."""

    async def start():
        async with Fleet(count, mix, seed) as fleet:
            return fleet

    return asyncio.run(start())


def test_its_nodes_are_registered_with_tags_and_addresses():
    fleet = started(9, "honest=1,edge=1,gateway=1")
    register(fleet, ACTOR)

    for simulated in fleet.nodes:
        node = effective(Node.objects.get(pk=simulated.node_id))
        assert node.probe_url == simulated.url
        assert node.tags == ["simulated", str(simulated.character)]


def test_registering_again_changes_nothing():
    fleet = started(3)
    register(fleet, ACTOR)
    versions = list(Node.objects.values_list("node_id", "version"))
    register(fleet, ACTOR)

    assert list(Node.objects.values_list("node_id", "version")) == versions


def test_a_smaller_fleet_takes_the_place_of_a_bigger_one():
    create_node({"node_id": "real", "monitor_url": "http://127.0.0.1:9"}, ACTOR)
    register(started(5), ACTOR)
    register(started(2), ACTOR)

    assert set(Node.objects.active().values_list("pk", flat=True)) == {"real", "sim-001", "sim-002"}


def test_its_registry_is_a_valid_file(tmp_path):
    path = tmp_path / "nodes_registry.yml"
    path.write_text(registry_yaml(started(9, seed=3)))

    assert len(load_policy(path, NodesRegistry).value.nodes) == 9


@pytest.mark.django_db(transaction=True)
async def test_it_runs_inside_another_process_until_the_stop():
    stop = asyncio.Event()
    running = asyncio.create_task(run_fleet(stop, 3))
    while await Node.objects.active().acount() < 3:
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, 2)
