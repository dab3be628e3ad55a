"""Whatever a client says is answered or ends its own connection, nobody else's."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_ping_is_answered(server):
    async with server.stream() as frames:
        await frames.say({"type": "ping"})
        pong = await frames.next()
    assert pong["type"] == "pong"
    assert pong["ts"].endswith("Z")


@pytest.mark.parametrize(
    "nonsense",
    [
        "", "{", "null", "[]", "7", '"ping"', "{}", '{"type":null}', '{"type":["ping"]}', '{"type":"drop"}', "NaN",
        '{"type":"ping","type":"ping"}', "[" * 60, "[" * 2000 + "]" * 2000, '{"type":"subscribe","types":"error"}',
        '{"type":"subscribe","types":[1]}', '{"type":"subscribe","node":5}', '{"type":"subscribe","node":"../x"}',
        '{"type":"subscribe","types":["A B"]}', b"\x00\xff", b'{"type":"ping"}',
    ],
)  # fmt: skip
async def test_nonsense_is_answered_with_an_error(server, append, nonsense):
    async with server.stream() as frames:
        await frames.say(nonsense)
        answer = await frames.next()
        assert answer["type"] == "error"
        assert answer["id"] is None
        assert answer["data"]["code"] in ("not_understood", "bad_filter")
        event = await append("ops.run")
        assert (await frames.next())["id"] == event.id


async def test_a_message_that_is_too_big_ends_the_connection(server):
    async with server.stream() as frames:
        await frames.say('{"type":"ping","pad":"' + "x" * 70_000 + '"}')
        assert await frames.closed_with() == 1009


async def test_a_flood_ends_the_connection_of_the_flooder_only(server, append):
    async with server.stream() as calm, server.stream() as flooder:
        try:
            for _ in range(2_000):
                await flooder.say('{"type":"ping"}')
        except ConnectionClosed:
            pass
        assert await flooder.closed_with() == 1008
        event = await append("ops.run")
        assert (await calm.next())["id"] == event.id
