"""A client gets every event once and in order, from wherever it says it was."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db(transaction=True)


async def test_it_says_hello_with_the_ends_of_the_log(server, append):
    first, last = await append("ops.run"), await append("error")
    async with server.stream(hello=False) as frames:
        hello = await frames.next()
    assert hello["type"] == "hello"
    assert hello["id"] is None
    assert hello["data"]["last_id"] == last.id
    assert hello["data"]["oldest_id"] == first.id
    assert hello["data"]["log_id"]


async def test_it_starts_now_without_since(server, append):
    await append("ops.run")
    async with server.stream() as frames:
        live = await append("ops.run", {"run_id": 7}, node_id="NODA1")
        frame = await frames.next()
    assert frame["id"] == live.id
    assert frame["v"] == 1
    assert frame["type"] == "ops.run"
    assert frame["node_id"] == "NODA1"
    assert frame["project_id"] == "default"
    assert frame["session_id"] is None
    assert frame["data"] == {"run_id": 7}
    assert len(frame["ts"]) == len("2026-01-01T00:00:00.000Z")
    assert frame["ts"].endswith("Z")


async def test_it_replays_what_was_missed_before_going_live(server, append):
    first, second = await append("ops.run"), await append("nodes.status")
    async with server.stream(f"since={first.id}") as frames:
        assert (await frames.next())["id"] == second.id
        live = await append("error")
        assert (await frames.next())["id"] == live.id


async def test_it_replays_far_more_than_the_memory_holds(server, append, append_many):
    ids = await append_many(3_000)
    async with server.stream(f"since={ids[0] - 1}") as frames:
        assert [frame["id"] for frame in await frames.take(3_000)] == ids
        live = await append("error")
        assert (await frames.next())["id"] == live.id
