"""Which paths are asked, in which order, and when asking ends. Real servers that count."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from time import monotonic

import pytest

from nodes import client
from nodes.client import FULL_ORDER_EVERY, Outcome, PathMemory, ProbeTarget, probe
from tests.prober.conftest import MONITOR


def target(node, **more) -> ProbeTarget:
    return ProbeTarget("NODA1", node.url, timeout_s=2.0, **more)


async def test_the_monitors_own_answer_is_enough(fake_node):
    node = await fake_node()
    node.say("/monitor/status", MONITOR)
    result = await probe(target(node))
    assert (result.outcome, result.source, result.http_status) == (Outcome.ANSWERED, "monitor", 200)
    assert node.asked == {"/monitor/status": 1}
    assert result.latency_ms < 500
    assert '"open_incidents": 2' in result.raw


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"detail": "Not Found"}, "application/json"),
        (405, {}, "application/json"),
        (501, b"", "text/plain"),
        (307, b"", "text/plain"),
        (200, b"<html>the app</html>", "text/html"),
        (200, b"OK", "text/plain"),
        (200, ["a", "list"], "application/json"),
        (200, b"null", "application/json"),
        (204, b"", "text/plain"),
    ],
)
async def test_what_is_no_status_there_falls_through_to_healthz(fake_node, status, body, kind):
    node = await fake_node()
    node.say("/monitor/status", body, status, kind)
    node.say("/healthz", {"status": "ok"})
    result = await probe(target(node))
    assert (result.outcome, result.source, result.complaints) == (Outcome.ANSWERED, "healthz", ())
    assert list(node.asked) == ["/monitor/status", "/healthz"]


async def test_the_order_goes_on_to_the_routers_base(fake_node):
    monitor, router = await fake_node(), await fake_node()
    router.say("/health", {"status": "ok", "service": "router"})
    result = await probe(target(monitor, router_url=router.url))
    assert (result.source, result.expected) == ("health", "router")
    assert list(monitor.asked) == ["/monitor/status", "/healthz", "/health"]
    assert list(router.asked) == ["/healthz", "/health"]


async def test_the_routers_base_is_not_asked_twice_under_two_names(fake_node):
    node = await fake_node()
    result = await probe(target(node, router_url=node.url + "/"))
    assert result.outcome is Outcome.BAD
    assert result.error.startswith("Answers, but gives no status (/monitor/status: 404")
    assert sum(node.asked.values()) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, "Router answered 500"),
        (503, "Router answered 503"),
        (401, "Router answered 401 (reachable, not authorised)"),
        (403, "Router answered 403 (reachable, not authorised)"),
    ],
)
async def test_an_error_answer_ends_the_probe_and_is_recorded_as_such(fake_node, status, error):
    node = await fake_node()
    node.say("/monitor/status", b"Internal Server Error", status, "text/plain")
    node.say("/healthz", {"status": "ok"})
    result = await probe(target(node, base_part="router"))
    assert (result.outcome, result.http_status, result.error) == (Outcome.BAD, status, error)
    assert node.asked == {"/monitor/status": 1}


async def test_a_refused_connection_ends_the_probe():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    result = await probe(ProbeTarget("N", f"http://127.0.0.1:{port}", timeout_s=2))
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "Connection refused")


async def test_one_deadline_holds_for_all_tries_together(fake_node):
    node = await fake_node()

    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async def late_404(writer):
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")

    node.do("/monitor/status", late_404)
    node.do("/healthz", drip)
    began = monotonic()
    result = await probe(replace(target(node), timeout_s=0.6))
    assert (result.outcome, result.timed_out) == (Outcome.UNREACHABLE, True)
    assert result.error == "No answer within 0.6 s"
    assert monotonic() - began < 0.9
    assert "/health" not in node.asked


async def test_the_path_that_worked_is_asked_first_and_the_monitor_again_now_and_then(fake_node):
    node, memory = await fake_node(), PathMemory()
    node.say("/health", {"status": "ok"})
    for _ in range(FULL_ORDER_EVERY + 1):
        assert (await probe(target(node), memory)).source == "health"
    assert node.asked["/monitor/status"] == 2
    assert node.asked["/health"] == FULL_ORDER_EVERY + 1


async def test_a_node_that_came_back_is_asked_from_the_beginning(fake_node):
    node, memory = await fake_node(), PathMemory()
    node.say("/health", {"status": "ok"})
    await probe(target(node), memory)
    node.say("/health", {}, 503)
    await probe(target(node), memory)
    node.say("/monitor/status", MONITOR)
    assert (await probe(target(node), memory)).source == "monitor"


async def test_a_new_address_is_not_judged_by_the_old_ones_memory(fake_node):
    old, new, memory = await fake_node(), await fake_node(), PathMemory()
    old.say("/health", {"status": "ok"})
    await probe(target(old), memory)
    new.say("/monitor/status", MONITOR)
    assert (await probe(target(new), memory)).source == "monitor"


async def test_a_plain_ok_at_healthz_is_an_answer(fake_node):
    node = await fake_node()
    node.say("/healthz", b"ok\n", kind="text/plain")
    result = await probe(target(node))
    assert (result.source, result.telemetry.status_word) == ("healthz", "ok")


async def test_the_console_asks_itself_in_the_process(monkeypatch):
    monkeypatch.setattr(client, "_own_status", None)
    me = ProbeTarget("NODA2", "self", is_self=True)
    assert (await probe(me)).outcome is Outcome.OURS
    client.register_self(lambda: {"online": True, "node_id": "NODA2", "version": "0.3.0"})
    result = await probe(me)
    assert (result.source, result.telemetry.version) == ("monitor", "0.3.0")

    def broken():
        raise RuntimeError("no disk")

    client.register_self(broken)
    result = await probe(me)
    assert (result.outcome, result.error) == (
        Outcome.OURS,
        "The console's own status failed: no disk",
    )


async def test_a_node_without_an_address_is_not_blamed():
    result = await probe(ProbeTarget("N", None))
    assert result.outcome is Outcome.OURS
    assert "router_url" in result.error


async def test_an_address_that_the_policy_refuses_is_ours():
    result = await probe(ProbeTarget("N", "http://169.254.169.254"))
    assert result.outcome is Outcome.OURS
