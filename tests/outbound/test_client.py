"""httpx' API over the engine: the guard, the deadline and the cap hold there too."""

import json
import time

import pytest

from core.outbound import Purpose
from core.outbound.client import http_client
from core.outbound.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectFailed,
    DeadlineExceeded,
    PolicyRefused,
    RequestRefused,
)
from tests.outbound.conftest import Hostile, saying

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.fixture
async def client(guard):
    async with http_client(Purpose.MEMORY, 1.0, max_bytes=1000, guard=guard) as client:
        yield client


async def test_it_sends_and_reads_json(client):
    async def script(reader, writer):
        head = await server.head(reader)
        assert b"accept-encoding: identity" in head
        assert b"python-httpx" not in head
        body = await reader.readexactly(13)
        writer.write(OK + b"content-length: %d\r\n\r\n%s" % (len(body), body))

    server = Hostile(script)
    async with server.running():
        answer = await client.post(f"{server.url}/x", json={"a": [1, 2, 3]})
    assert answer.json() == {"a": [1, 2, 3]}
    assert json.loads(answer.content) == {"a": [1, 2, 3]}


async def test_it_streams_lines(client):
    async with (
        saying(OK + b"\r\n", b"a\n", b"b\n") as server,
        client.stream("GET", server.url) as answer,
    ):
        assert [line async for line in answer.aiter_lines()] == ["a", "b"]


async def test_it_does_not_follow_redirects(client, network):
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
    async with saying(moved) as server:
        assert (await client.get(server.url)).status_code == 302
    assert len(network.connects) == 1


async def test_it_uses_no_proxy_of_the_environment(guard, monkeypatch, network):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with (
        saying(OK + b"content-length: 0\r\n\r\n") as server,
        http_client(Purpose.CHAT, 1, guard=guard) as client,
    ):
        assert (await client.get(server.url)).status_code == 200
    assert network.connects == [("127.0.0.1", server.port)]


async def test_a_bomb_is_refused_by_its_encoding(client):
    async with saying(OK + b"content-encoding: gzip\r\n\r\n\x1f\x8b") as server:
        with pytest.raises(BadResponse):
            await client.get(server.url)


async def test_the_cap_holds(client):
    async with saying(OK + b"\r\n" + b"x" * 2000) as server:
        with pytest.raises(BodyTooLarge):
            await client.get(server.url)


async def test_the_deadline_covers_the_whole_answer(client):
    async with saying(OK + b"\r\n", *[b"x"] * 50, pause_s=0.1) as server:
        began = time.perf_counter()
        with pytest.raises(DeadlineExceeded):
            await client.get(server.url)
    assert time.perf_counter() - began < 1.5


async def test_errors_of_the_network_are_ours(client, closed_port):
    with pytest.raises(ConnectFailed):
        await client.get(f"http://127.0.0.1:{closed_port}/")


@pytest.mark.parametrize(
    "url", ["http://n\\@127.0.0.1/", "http://a@127.0.0.1/", "http://127.1/", "ftp://127.0.0.1/", "http://169.254.169.254/"]
)  # fmt: skip
async def test_addresses_are_read_strictly(url, client, network):
    with pytest.raises(PolicyRefused):
        await client.get(url)
    assert network.connects == []


@pytest.mark.parametrize("value", ["a\r\nb: c", "é€"])
async def test_headers_are_checked(value, client, network):
    with pytest.raises(RequestRefused):
        await client.get("http://127.0.0.1:9/", headers={"x": value})
    assert network.connects == []
