"""A fleet as a whole, and its remote control."""

import asyncio
import socket
import time

import pytest

from nodes.simulator import Character, Fleet
from nodes.simulator.control import Control
from nodes.simulator.fleet import UnknownNode


async def test_nodes_have_names_and_ports_of_their_own():
    async with Fleet(20) as fleet:
        assert [node.node_id for node in fleet.nodes[:2]] == ["sim-001", "sim-002"]
        assert len({node.url for node in fleet.nodes}) == 20
        assert all(node.is_up for node in fleet.nodes)


async def test_the_same_seed_gives_the_same_fleet():
    first, second = Fleet(30, seed=4), Fleet(30, seed=4)
    async with first, second:
        assert [node.character for node in first.nodes] == [n.character for n in second.nodes]
        assert [node.seed for node in first.nodes] == [node.seed for node in second.nodes]


async def test_a_taken_port_is_not_shared():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        async with Fleet(1, "honest=1", base_port=taken.getsockname()[1]):
            pass


async def test_everything_is_given_back_at_the_end():
    async with Fleet(3) as fleet:
        ports = [node.port for node in fleet.nodes]
    for port in ports:
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_a_node_that_is_not_there_is_said_to_be():
    async with Fleet(1, "honest=1") as fleet:
        with pytest.raises(UnknownNode):
            await fleet.go_down("sim-999")


async def test_two_hundred_nodes_start_and_answer_within_seconds(client):
    began = time.monotonic()
    async with Fleet(200, "honest=9,hanging=1") as fleet:
        honest = fleet.of(Character.HONEST)
        answers = await asyncio.gather(*(client.get(node.url + "/health") for node in honest[:60]))
        assert {answer.status_code for answer in answers} == {200}
        assert len(honest) == 180
    assert time.monotonic() - began < 5


async def test_the_remote_control_takes_a_node_down_and_brings_it_back(client):
    async with Fleet(2, "honest=1") as fleet:
        control = Control(fleet)
        await control.start()
        order = {"node": "sim-002"}

        off = await client.post(control.url + "/_sim/off", json=order)
        assert (off.status_code, off.json()["up"]) == (200, False)
        assert not fleet.node("sim-002").is_up
        assert (await client.post(control.url + "/_sim/on", json=order)).json()["up"] is True

        listed = (await client.get(control.url + "/_sim")).json()["nodes"]
        assert [node["node"] for node in listed] == ["sim-001", "sim-002"]
        await control.stop()


async def test_the_remote_control_changes_a_character(client):
    async with Fleet(1, "honest=1") as fleet:
        control = Control(fleet)
        await control.start()
        order = {"node": "sim-001", "character": "hostile", "act": "list"}

        assert (await client.post(control.url + "/_sim/character", json=order)).status_code == 200
        body = (await client.get(fleet.nodes[0].url + "/monitor/status")).json()
        assert body == [{"online": True}]
        await control.stop()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_sim/off", b'{"node":"sim-999"}', 404),
        ("/_sim/off", b"not json", 422),
        ("/_sim/off", b"{}", 422),
        ("/_sim/character", b'{"node":"sim-001","character":"polite"}', 422),
        ("/_sim/character", b'{"node":"sim-001","character":"hostile","act":"sing"}', 422),
        ("/_sim/elsewhere", b"{}", 404),
    ],
)
async def test_the_remote_control_explains_what_it_did_not_understand(client, path, body, status):
    async with Fleet(1, "honest=1") as fleet:
        control = Control(fleet)
        await control.start()
        response = await client.post(control.url + path, content=body)
        await control.stop()
    assert (response.status_code, bool(response.json()["detail"])) == (status, True)
