"""Each well-behaved kind answers where its real model does, and nowhere else."""

import pytest

from nodes.simulator import Character, Fleet

PATHS = ("/monitor/status", "/healthz", "/health", "/info")
ANSWERS = {
    Character.HONEST: {"/monitor/status": "online", "/healthz": "ok", "/health": "service"},
    Character.EDGE: {"/healthz": "service"},
    Character.ROUTER: {"/health": "service"},
    Character.GATEWAY: {"/health": "agents"},
    Character.DAGI: {"/health": "service", "/info": "routing"},
}


@pytest.mark.parametrize("character", ANSWERS)
async def test_it_answers_its_own_paths_only(character, client):
    async with Fleet(1, {character: 1}) as fleet:
        for path in PATHS:
            response = await client.get(fleet.nodes[0].url + path)
            field = ANSWERS[character].get(path)
            assert response.status_code == (200 if field else 404)
            assert field is None or field in response.json()


async def test_a_gateway_names_no_service(client):
    async with Fleet(1, "gateway=1") as fleet:
        assert "service" not in (await client.get(fleet.nodes[0].url + "/health")).json()


async def test_health_answers_get_alone(client):
    async with Fleet(1, "router=1") as fleet:
        assert (await client.head(fleet.nodes[0].url + "/health")).status_code == 405


async def test_a_dagi_router_blames_the_request_with_502(client):
    async with Fleet(1, "dagi=1") as fleet:
        url = fleet.nodes[0].url + "/route"
        assert (await client.post(url, json={})).status_code == 502
        assert (await client.post(url, json={"message": "hello"})).json()["data"]["text"]


async def test_a_router_infers_from_a_prompt(client):
    async with Fleet(1, "router=1") as fleet:
        url = fleet.nodes[0].url + "/v1/agents/x/infer"
        assert (await client.post(url, json={"messages": []})).status_code == 422
        assert (await client.post(url, json={"prompt": "hello"})).json()["response"]


async def test_the_echo_tells_what_arrived(client):
    async with Fleet(1, "edge=1") as fleet:
        url = fleet.nodes[0].url + "/_sim/echo?a=1"
        told = (await client.put(url, content=b"body", headers={"X-Mine": "1"})).json()

    assert (told["method"], told["target"], told["body"]) == ("PUT", "/_sim/echo?a=1", "body")
    assert ["x-mine", "1"] in told["headers"]


async def test_a_connection_serves_several_requests(client):
    async with Fleet(1, "honest=1") as fleet:
        node = fleet.nodes[0]
        for _ in range(5):
            assert (await client.get(node.url + "/monitor/status")).status_code == 200
        assert node.requests == {"/monitor/status": 5}
        assert len(node.arrivals) == 5
