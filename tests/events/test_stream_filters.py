"""A client sees what it asked for, and never what it may not."""

from __future__ import annotations

import pytest

from events import hub

pytestmark = pytest.mark.django_db(transaction=True)


async def test_it_sends_only_the_types_asked_for(server, append):
    async with server.stream("types=ops.run,error") as frames:
        await append("chat.message")
        wanted = await append("error")
        assert (await frames.next())["id"] == wanted.id


async def test_it_sends_only_what_is_about_the_node(server, append):
    async with server.stream("node=NODA1") as frames:
        await append("ops.run", node_id="NODA2")
        await append("ops.run")
        wanted = await append("ops.run", node_id="NODA1")
        assert (await frames.next())["id"] == wanted.id


async def test_a_poll_cycle_is_about_the_nodes_that_it_changed(server, append):
    async with server.stream("types=nodes.status&node=NODA1") as frames:
        await append("nodes.status", {"changed": [{"node_id": "NODA2"}]})
        wanted = await append("nodes.status", {"changed": [{"node_id": "NODA1"}]})
        assert (await frames.next())["id"] == wanted.id


async def test_filters_hold_for_what_is_replayed(server, append):
    await append("chat.message")
    wanted = await append("error")
    async with server.stream("since=0&types=error") as frames:
        assert (await frames.next())["id"] == wanted.id


async def test_the_audit_is_for_admins(server, append):
    async with server.stream("types=audit,error") as frames:
        refusal = await frames.next()
        await append("audit", {"action": "x"})
        seen = await append("error")
        assert (await frames.next())["id"] == seen.id
    assert refusal["type"] == "error"
    assert refusal["data"]["code"] == "forbidden"
    assert refusal["data"]["types"] == ["audit"]


async def test_an_admin_sees_the_audit(server, append, console_key):
    headers = {"X-API-Key": console_key}
    async with server.stream(additional_headers=headers) as frames:
        audited = await append("audit", {"action": "x"})
        assert (await frames.next())["id"] == audited.id


async def test_subscribe_changes_the_filter(server, append):
    async with server.stream() as frames:
        await frames.say({"type": "subscribe", "types": ["error"], "node": None})
        await frames.say({"type": "ping"})
        assert (await frames.next())["type"] == "pong"
        await append("ops.run")
        wanted = await append("error")
        assert (await frames.next())["id"] == wanted.id


async def test_subscribe_cannot_reach_what_is_hidden(server, append):
    async with server.stream() as frames:
        await frames.say({"type": "subscribe", "types": ["audit"]})
        assert (await frames.next())["data"]["code"] == "forbidden"
        await append("audit", {"action": "x"})
        assert await frames.is_quiet()


@pytest.mark.parametrize("query", ["types=Ops%20Run", "node=a/b", "types=" + "a" * 49])
async def test_a_filter_that_makes_no_sense_is_said(server, query):
    async with server.stream(query) as frames:
        assert (await frames.next())["data"]["code"] == "bad_filter"


async def test_a_quiet_stream_is_told_where_it_is(server, append, monkeypatch):
    monkeypatch.setattr(hub, "CURSOR_EVERY_S", 0.3)
    async with server.stream("types=error") as frames:
        hidden = await append("ops.run")
        seen = [await frames.next(), await frames.next()]
    assert all(frame["type"] == "cursor" for frame in seen)
    assert seen[-1]["id"] == hidden.id
