"""`GET /api/events/stream` is the same stream for those who cannot speak WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from events import hub
from events.hub import get_hub

pytestmark = pytest.mark.django_db(transaction=True)


class Lines:
    """The events of a text/event-stream, as dicts of their fields."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.source = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        async with asyncio.timeout(5):
            async for line in self.source:
                if line == "" and "data" in fields:
                    fields["data"] = json.loads(fields["data"])
                    return fields
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
        raise AssertionError("the stream ended")


@contextlib.asynccontextmanager
async def listening(server: Any, query: str = "", **headers: str) -> AsyncIterator[Lines]:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"http://{server.host}/api/events/stream?{query}", headers=headers) as response,
    ):  # fmt: skip
        assert response.status_code == 200
        lines = Lines(response)
        assert (await lines.next())["event"] == "hello"
        yield lines


async def test_it_streams_events_with_their_ids(server, append):
    async with listening(server) as lines:
        event = await append("ops.run", {"text": "two\nlines"}, node_id="NODA1")
        seen = await lines.next()
    assert lines.response.headers["content-type"].startswith("text/event-stream")
    assert seen["id"] == str(event.id)
    assert seen["event"] == "ops.run"
    assert seen["data"]["id"] == event.id
    assert seen["data"]["data"] == {"text": "two\nlines"}


async def test_it_resumes_after_the_last_event_id(server, append_many):
    ids = await append_many(5)
    async with listening(server, "since=0", **{"Last-Event-ID": str(ids[2])}) as lines:
        assert [(await lines.next())["id"] for _ in range(2)] == [str(id) for id in ids[3:]]


async def test_it_resumes_with_since(server, append_many):
    ids = await append_many(5)
    async with listening(server, f"since={ids[2]}&types=ops.run") as lines:
        assert [(await lines.next())["id"] for _ in range(2)] == [str(id) for id in ids[3:]]


async def test_a_quiet_stream_moves_the_last_event_id(server, append, monkeypatch):
    monkeypatch.setattr(hub, "CURSOR_EVERY_S", 0.3)
    hidden = await append("ops.run")
    async with listening(server, "types=error") as lines:
        cursor = await lines.next()
    assert cursor["event"] == "cursor"
    assert cursor["id"] == str(hidden.id)


async def test_it_says_gap_for_an_id_beyond_the_newest(server):
    async with listening(server, **{"Last-Event-ID": "77"}) as lines:
        assert (await lines.next())["data"]["data"]["reason"] == "ahead"


async def test_a_client_that_goes_is_forgotten(server):
    async with listening(server):
        assert get_hub().clients == 1
    for _ in range(100):
        if not get_hub().clients:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("still counted")


async def test_a_restart_ends_the_stream(server):
    async with listening(server) as lines:
        await get_hub().close(1012)
        end = await lines.next()
    assert end["event"] == "close"
    assert end["data"]["data"]["code"] == 1012


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
async def test_it_is_only_read(server, method):
    async with httpx.AsyncClient() as client:
        response = await client.request(method, f"http://{server.host}/api/events/stream")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"


async def test_what_cannot_be_is_answered_as_a_problem(server):
    async with httpx.AsyncClient() as client:
        url = f"http://{server.host}/api/events/stream"
        wrong = await client.get(url, headers={"Authorization": "Bearer nope"})
        senseless = await client.get(url, params={"types": "No Such"})
    assert wrong.status_code == 401
    assert wrong.headers["content-type"] == "application/problem+json"
    assert senseless.status_code == 422
    assert senseless.json()["errors"][0]["path"] == "query.types"
