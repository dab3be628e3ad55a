"""Who may not listen is told by a close code that browsers see, at the door and later."""

from __future__ import annotations

import time

import pytest
from asgiref.sync import sync_to_async
from websockets.asyncio.client import connect

from core.access.services import create_key, revoke_key
from events import hub
from events.hub import get_hub
from tests.factories import principal

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_wrong_key_is_closed_with_4401(server):
    headers = {"Authorization": "Bearer not-a-key"}
    async with server.stream(hello=False, additional_headers=headers) as frames:
        assert await frames.closed_with() == 4401


async def test_a_foreign_page_is_closed_with_4403(server):
    async with server.stream(hello=False, origin="https://evil.example") as frames:
        assert await frames.closed_with() == 4403


async def test_a_key_without_read_is_closed_with_4403(server):
    key = await sync_to_async(create_key)("writer", ["ingest"], None, principal())
    headers = {"X-API-Key": _secret(key)}
    async with server.stream(hello=False, additional_headers=headers) as frames:
        assert await frames.closed_with() == 4403


async def test_a_revoked_key_is_closed_within_five_seconds(server):
    made = await sync_to_async(create_key)("reader", ["read"], None, principal())
    headers = {"X-API-Key": _secret(made)}
    async with server.stream(additional_headers=headers) as reader, server.stream() as other:
        began = time.monotonic()
        await sync_to_async(revoke_key)(_key(made).key_id, principal())
        assert await reader.closed_with() == 4401
        assert time.monotonic() - began < 5
        await other.say({"type": "ping"})
        assert (await other.next())["type"] == "pong"


async def test_nothing_reaches_a_client_after_its_revocation(server, append):
    made = await sync_to_async(create_key)("reader", ["read"], None, principal())
    headers = {"X-API-Key": _secret(made)}
    async with server.stream(additional_headers=headers) as reader:
        await sync_to_async(revoke_key)(_key(made).key_id, principal())
        await append("ops.run")
        assert await reader.closed_with() == 4401
        assert reader.read == ["hello"]


async def test_one_stream_too_many_is_refused(server, monkeypatch):
    monkeypatch.setattr(hub, "MAX_STREAMS", 2)
    async with server.stream(), server.stream(), server.stream(hello=False) as third:
        assert await third.closed_with() == 1013
    async with server.stream() as again:
        await again.say({"type": "ping"})
        assert (await again.next())["type"] == "pong"


async def test_an_address_has_its_share_unless_it_is_this_machine(server, monkeypatch):
    monkeypatch.setattr(hub, "MAX_STREAMS_PER_ADDRESS", 1)
    async with server.stream(), server.stream():
        get_hub()._per_address["192.0.2.7"] = 1
        with pytest.raises(hub.HubRefusal) as refused:
            get_hub().check_room("192.0.2.7")
        del get_hub()._per_address["192.0.2.7"]
    assert refused.value.code == 1013


async def test_a_restart_says_from_where_to_go_on(server, append):
    event = await append("ops.run")
    async with connect(f"ws://{server.host}/ws/events?since=0") as client:
        await client.recv()
        await client.recv()
        await get_hub().close(1012)
        await client.wait_closed()
    assert client.close_code == 1012
    assert client.close_reason == f"restarting; resume with since={event.id}"


async def test_clients_are_counted_and_forgotten(server):
    assert get_hub().clients == 0
    async with server.stream(), server.stream():
        assert get_hub().clients == 2
    deadline = time.monotonic() + 2
    while get_hub().clients and time.monotonic() < deadline:
        await sync_to_async(time.sleep)(0.01)
    assert get_hub().clients == 0


def _key(made):
    return made[0]


def _secret(made):
    return made[1]
