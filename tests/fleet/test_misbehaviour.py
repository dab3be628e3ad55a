"""Nodes that flap, dawdle, hang and attack do so on the wire."""

import asyncio
import time

import httpx
import pytest
import uvloop

from nodes.simulator import Character, Fleet
from nodes.simulator.hostile import ACTS
from nodes.simulator.node import UnknownAct

STATUS = "/monitor/status"


async def refuses(client: httpx.AsyncClient, url: str) -> bool:
    try:
        await client.get(url)
    except httpx.ConnectError:
        return True
    return False


async def test_a_node_that_is_down_refuses_and_comes_back_on_its_port(client):
    async with Fleet(1, "honest=1") as fleet:
        node = fleet.nodes[0]
        url = node.url
        for _ in range(3):
            await fleet.go_down(node.node_id)
            assert not node.is_up
            assert await refuses(client, url + STATUS)
            await fleet.come_back(node.node_id)
            assert (await client.get(url + STATUS)).status_code == 200
        assert node.url == url


def test_a_port_closes_at_once_on_uvloop_too():
    async def down_and_up() -> None:
        async with httpx.AsyncClient(trust_env=False) as client, Fleet(1, "honest=1") as fleet:
            url = fleet.nodes[0].url + STATUS
            assert (await client.get(url)).status_code == 200
            await fleet.go_down("sim-001")
            assert await refuses(client, url)
            await fleet.come_back("sim-001")
            assert (await client.get(url)).status_code == 200

    uvloop.run(down_and_up())


async def test_going_down_cuts_open_connections(client):
    async with Fleet(1, "hanging=1") as fleet:
        node = fleet.nodes[0]
        asking = asyncio.create_task(client.get(node.url + STATUS))
        while not node.arrivals:
            await asyncio.sleep(0.01)
        await node.go_down()
        with pytest.raises(httpx.NetworkError):
            await asking


async def test_a_hanging_node_accepts_and_never_answers(client):
    async with Fleet(1, "hanging=1") as fleet:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(fleet.nodes[0].url + STATUS)
        assert fleet.nodes[0].requests.total() == 1


async def test_a_slow_node_answers_shortly_before_the_time_out(client):
    async with Fleet(1, "slow=1", timeout_s=0.6) as fleet:
        began = time.monotonic()
        assert (await client.get(fleet.nodes[0].url + STATUS)).status_code == 200
        assert 0.4 < time.monotonic() - began < 0.9


async def test_a_flapping_node_goes_and_comes_by_itself():
    async with Fleet(1, "flapping=1", pace=500) as fleet:
        seen = set()
        deadline = time.monotonic() + 5
        while len(seen) < 2 and time.monotonic() < deadline:
            seen.add(fleet.nodes[0].is_up)
            await asyncio.sleep(0.01)
        assert seen == {True, False}


async def test_a_node_switched_by_hand_leaves_its_timetable():
    async with Fleet(1, "flapping=1", pace=500) as fleet:
        await fleet.go_down("sim-001")
        await asyncio.sleep(0.5)
        assert not fleet.nodes[0].is_up


async def wire(url: str, limit: int = 300_000) -> bytes:
    """What comes back for one request, up to `limit` bytes or a second."""
    _, _, port = url.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    received = bytearray()
    try:
        writer.write(b"GET /monitor/status HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(1.0):
            while len(received) < limit and (chunk := await reader.read(65_536)):
                received += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return bytes(received)


EVIDENCE = {
    "nan": b"NaN",
    "huge_int": b"9" * 5000,
    "huge_float": b"1e400",
    "deep": b"[" * 100_000,
    "gzip_bomb": b"content-encoding: gzip",
    "redirect": b"location: http://169.254.169.254/",
    "wrong_types": b'"heartbeat_age_s":"five"',
    "script_names": b"<script>",
    "crlf": b"\r\n set-cookie",
    "length_negative": b"content-length: -1",
    "surrogate": b"\\ud800",
    "utf16": b"\xff\xfe",
    "not_http": b"SSH-2.0",
    "big_headers": b"p" * 100_000,
}


@pytest.mark.parametrize("act", EVIDENCE)
async def test_a_hostile_act_is_what_it_says(act):
    async with Fleet(1, "hostile=1") as fleet:
        fleet.nodes[0].become(Character.HOSTILE, act)
        assert EVIDENCE[act] in await wire(fleet.nodes[0].url)


async def test_endless_chunks_have_no_end():
    async with Fleet(1, "hostile=1") as fleet:
        fleet.nodes[0].become(Character.HOSTILE, "endless")
        assert len(await wire(fleet.nodes[0].url)) >= 300_000


async def test_a_gzip_bomb_is_small_on_the_wire():
    async with Fleet(1, "hostile=1") as fleet:
        fleet.nodes[0].become(Character.HOSTILE, "gzip_bomb")
        assert len(await wire(fleet.nodes[0].url)) < 100_000


async def test_a_drip_falls_byte_by_byte():
    async with Fleet(1, "hostile=1") as fleet:
        fleet.nodes[0].become(Character.HOSTILE, "drip")
        assert 1 <= len(await wire(fleet.nodes[0].url)) <= 3


async def test_a_reset_is_a_reset(client):
    async with Fleet(1, "hostile=1") as fleet:
        fleet.nodes[0].become(Character.HOSTILE, "reset_at_once")
        with pytest.raises(httpx.ReadError):
            await client.get(fleet.nodes[0].url)


async def test_a_hostile_node_goes_through_every_act():
    async with Fleet(1, "hostile=1") as fleet:
        node = fleet.nodes[0]
        drawn = {next(node._acts) for _ in ACTS}
        assert drawn == set(ACTS)


def test_an_act_that_nobody_knows_is_refused():
    async def become() -> None:
        async with Fleet(1, "hostile=1") as fleet:
            fleet.nodes[0].become(Character.HOSTILE, "sing")

    with pytest.raises(UnknownAct):
        asyncio.run(become())
