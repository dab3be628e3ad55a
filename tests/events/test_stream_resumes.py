"""A client gets every event once and in order, from wherever it says it was."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from events import retention
from events.hub import Hub
from events.models import Event
from events.ring import Ring

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


async def test_it_says_gap_when_what_was_missed_is_no_longer_kept(server, append_many):
    ids = await append_many(10)
    await sync_to_async(retention._delete_through)(ids[4])
    async with server.stream(f"since={ids[1]}") as frames:
        gap, first = await frames.take(2)
    assert gap["type"] == "error"
    assert gap["data"]["code"] == "gap"
    assert gap["data"]["oldest_id"] == ids[5]
    assert first["id"] == ids[5]


async def test_it_needs_no_gap_when_exactly_the_seen_events_went(server, append_many):
    ids = await append_many(10)
    await sync_to_async(retention._delete_through)(ids[4])
    async with server.stream(f"since={ids[4]}") as frames:
        assert (await frames.next())["id"] == ids[5]


async def test_it_goes_on_after_an_id_that_was_never_given(server, append_many):
    ids = await append_many(5)
    await sync_to_async(Event.objects.filter(id__in=ids[1:3]).delete)()
    async with server.stream(f"since={ids[1]}") as frames:
        assert [frame["id"] for frame in await frames.take(2)] == ids[3:]


@pytest.mark.parametrize(
    ("since", "reason"),
    [("999999", "ahead"), (str(2**63), "ahead"), ("9" * 400, "ahead"), ("-1", "invalid"), ("x", "invalid"), ("1e3", "invalid")],
)  # fmt: skip
async def test_it_says_gap_for_an_id_that_cannot_be(server, append, since, reason):
    """And sends no old events, which a client would take for new ones."""
    await append("ops.run")
    async with server.stream(f"since={since}") as frames:
        gap = await frames.next()
        live = await append("error")
        following = await frames.next()
    assert gap["data"]["code"] == "gap"
    assert gap["data"]["reason"] == reason
    assert following["id"] == live.id


async def test_since_zero_is_the_whole_log(server, append_many):
    ids = await append_many(3)
    async with server.stream("since=0") as frames:
        assert [frame["id"] for frame in await frames.take(3)] == ids


async def test_a_reader_that_retention_overtakes_is_told(elsewhere, append_many):
    """The cut falls between two of its pages."""
    ids = await append_many(600)
    hub = Hub()
    hub._ring, first = Ring(ids[-1]), []
    hub._warm.set()
    page = await hub.next_page(ids[0] - 1)
    first += [frame.id for frame in page.frames]
    await sync_to_async(retention._delete_through)(ids[399])
    page = await hub.next_page(first[-1])
    hub._pages.close()
    assert first == ids[:200]
    assert page.gap_until == ids[399]
    assert page.frames[0].id == ids[400]


async def test_a_row_written_by_hand_does_not_break_the_stream(server, append):
    first = await append("ops.run")
    row = Event(ts=first.ts, type="ops.run", data='{"cut": ')
    await sync_to_async(row.save)()
    last = await append("ops.run", {"fine": True})
    async with server.stream(f"since={first.id}") as frames:
        broken, fine = await frames.take(2)
    assert broken["data"]["code"] == "unreadable"
    assert fine["id"] == last.id
