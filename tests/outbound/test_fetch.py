"""One request, one answer, on the address that was judged."""

import asyncio
import resource

import pytest

from core.outbound import Purpose
from core.outbound.engine import fetch
from core.outbound.errors import (
    BodyTooLarge,
    ConnectFailed,
    DeadlineExceeded,
    LocalFault,
    NameUnresolved,
    PolicyRefused,
    RequestRefused,
)
from core.outbound.guard import Guard
from core.outbound.policy import NetworkAllowlist
from tests.outbound.conftest import Hostile, saying

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello"


async def test_it_returns_the_answer_as_it_came(ask):
    async with saying(HELLO) as server:
        answer = await ask(f"{server.url}/monitor/status?x=1", headers=[("X-Request-ID", "r1")])

    assert (answer.status, answer.body, answer.address) == (200, b"hello", "127.0.0.1")
    assert answer.header("content-TYPE") == "text/plain"
    assert answer.header("x-absent") is None
    assert 0 < answer.connect_ms <= answer.first_byte_ms <= answer.total_ms < 2000
    head = server.heads[0]
    assert head.startswith(b"GET /monitor/status?x=1 HTTP/1.1\r\n")
    assert b"\r\nhost: 127.0.0.1:%d\r\n" % server.port in head
    assert b"\r\naccept-encoding: identity\r\n" in head
    assert b"\r\nx-request-id: r1\r\n" in head


async def test_it_sends_a_body_with_its_length(ask):
    got = []

    async def script(reader, writer):
        got.append(await server.head(reader))
        got.append(await reader.readexactly(4))
        writer.write(HELLO)

    server = Hostile(script)
    async with server.running():
        await ask(
            server.url, "POST", body=b"ping", headers={"content-length": "999", "Host": "evil"}
        )

    assert b"content-length: 4\r\n" in got[0]
    assert b"999" not in got[0]
    assert b"evil" not in got[0]
    assert got[1] == b"ping"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_ends_with_its_head(status, ask):
    async with saying(
        b"HTTP/1.1 %s\r\ncontent-encoding: gzip\r\n\r\n" % status, pause_s=5
    ) as server:
        assert (await ask(server.url)).body == b""


async def test_the_answer_to_head_has_a_length_and_no_body(ask):
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", pause_s=5) as server:
        assert (await ask(server.url, "HEAD")).header("content-length") == "99"


async def test_an_answer_without_a_length_ends_with_the_connection(ask):
    async with saying(b"HTTP/1.0 200 OK\r\n\r\n", b"one", b"two") as server:
        assert (await ask(server.url)).body == b"onetwo"


async def test_a_body_announced_as_too_large_is_not_waited_for(ask):
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", pause_s=5) as server:
        with pytest.raises(BodyTooLarge):
            await ask(server.url)


async def test_a_body_of_exactly_the_cap_is_fine(ask):
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + b"x" * 10) as server:
        assert len((await ask(server.url, max_bytes=10)).body) == 10


@pytest.mark.parametrize(
    "header",
    [("x", "a\r\nevil: 1"), ("x", "a\nb"), ("x", "a\x00b"), ("x", "я"), ("x y", "a"), ("", "a"), ("x:", "a"),
     ("ключ", "a"), (b"x\r\n", b"a"), ("x", "a\x7f")],
)  # fmt: skip
async def test_it_refuses_headers_that_http_cannot_carry(header, ask, network):
    with pytest.raises(RequestRefused):
        await ask("http://127.0.0.1:9/", headers=[header])
    assert network.connects == []


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\n", "", "G T", "CONNECT", "GЕT"])
async def test_it_refuses_methods_that_are_none(method, ask, network):
    with pytest.raises(RequestRefused):
        await ask("http://127.0.0.1:9/", method)
    assert network.connects == []


async def test_refused_is_told(ask, closed_port):
    with pytest.raises(ConnectFailed, match="connection refused") as failure:
        await ask(f"http://127.0.0.1:{closed_port}/")
    assert failure.value.kind == "refused"


async def test_the_proxies_of_the_environment_are_not_used(ask, monkeypatch, network):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with saying(HELLO) as server:
        assert (await ask(server.url)).status == 200
    assert network.connects == [("127.0.0.1", server.port)]


async def test_no_free_descriptor_is_our_fault(ask, closed_port):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(LocalFault, match="file descriptors"):
            await ask(f"http://127.0.0.1:{closed_port}/")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_an_unknown_name_is_told(ask, network):
    network.answers["gone.example"] = [[]]
    with pytest.raises(NameUnresolved):
        await ask("http://gone.example/")


async def test_it_tries_the_next_address_when_one_refuses(ask, network):
    async with saying(HELLO) as server:
        network.answers["node.example"] = [["127.0.0.2", "127.0.0.1"]]
        answer = await ask(f"http://node.example:{server.port}/")

    assert answer.address == "127.0.0.1"
    assert network.connects == [("127.0.0.2", server.port), ("127.0.0.1", server.port)]
    assert b"host: node.example:%d\r\n" % server.port in server.heads[0]


async def test_a_denied_address_beside_an_allowed_one_is_never_connected_to(ask, network):
    async with saying(HELLO) as server:
        network.answers["node.example"] = [
            ["169.254.169.254", "::ffff:169.254.169.254", "127.0.0.1"]
        ]
        await ask(f"http://node.example:{server.port}/")

    assert network.connects == [("127.0.0.1", server.port)]


async def test_rebinding_reaches_only_checked_addresses(ask, network):
    """The resolver gives an allowed address first and the metadata service ever after (C02)."""
    async with saying(HELLO) as server:
        network.answers["node.example"] = [["127.0.0.1"], ["169.254.169.254"]]
        assert (await ask(f"http://node.example:{server.port}/")).address == "127.0.0.1"
        with pytest.raises(PolicyRefused):
            await ask(f"http://node.example:{server.port}/")

    assert network.resolved == ["node.example", "node.example"]
    assert network.connects == [("127.0.0.1", server.port)]


async def test_an_ipv4_address_in_ipv6_clothes_is_connected_to_as_ipv4(ask, network):
    async with saying(HELLO) as server:
        network.answers["node.example"] = [["::ffff:127.0.0.1"]]
        assert (await ask(f"http://node.example:{server.port}/")).address == "127.0.0.1"


async def test_resolving_counts_against_the_deadline(guard, monkeypatch):
    async def never(*args, **options):
        await asyncio.sleep(5)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    with pytest.raises(DeadlineExceeded, match="name was not resolved"):
        await fetch(
            "GET",
            "http://node.example/",
            purpose=Purpose.PROBE,
            deadline_s=0.1,
            max_bytes=9,
            guard=guard,
        )


async def test_a_cancelled_fetch_leaves_no_connection(ask):
    async with saying(b"", pause_s=5) as server:
        task = asyncio.ensure_future(ask(server.url))
        while not server.heads:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_guard_without_rules_lets_nothing_out(ask, network):
    with pytest.raises(PolicyRefused):
        await ask("http://127.0.0.1:9/", guard=Guard(NetworkAllowlist()))
    assert network.connects == []
