"""The stream outlives its database's restart and does not need its doorbell."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.events.processes import Processes, until
from tests.harness import services
from tests.harness.database import postgres_database


@pytest.fixture
def on_postgres() -> Iterator[tuple[Processes, str]]:
    with postgres_database() as url:
        processes = Processes(url)
        yield processes, url
        processes.stop()


@pytest.fixture
def with_redis(request: pytest.FixtureRequest) -> Iterator[Processes]:
    processes = Processes("", REDIS_URL=request.param)
    yield processes
    processes.stop()


async def _connected(processes: Processes) -> ClientConnection:
    processes.serve()
    async with asyncio.timeout(15):
        while True:
            with suppress(OSError):
                url = f"ws://127.0.0.1:{processes.port}/ws/events"
                client = await connect(url, max_queue=None)
                await client.recv()
                return client
            await asyncio.sleep(0.05)


async def _delays(processes: Processes, client: ClientConnection) -> list[float]:
    """Seconds between an event's time and its arrival, for a few events with pauses between them."""
    delays: dict[int, float] = {}

    async def read() -> None:
        async for message in client:
            frame = json.loads(message)
            if frame["type"] == "ops.run":
                written = datetime.fromisoformat(frame["ts"]).timestamp()
                delays[frame["id"]] = time.time() - written

    reading = asyncio.create_task(read())
    output, _ = await asyncio.to_thread(processes.write(1, 16, 0.17).communicate)
    committed = json.loads(output)
    await until(lambda: set(delays) >= set(committed))
    reading.cancel()
    await asyncio.wait([reading])
    return list(delays.values())


@pytest.mark.postgres
async def test_it_goes_on_after_the_database_cut_every_connection(on_postgres):
    processes, url = on_postgres
    client = await _connected(processes)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    began = time.monotonic()
    processes.write(1, 20)
    frame = {"type": "cursor"}
    while frame["type"] != "ops.run":
        frame = json.loads(await client.recv())
    assert frame["id"] == 1
    assert time.monotonic() - began < 10
    await client.close()


@pytest.mark.redis
@pytest.mark.parametrize("with_redis", [services.REDIS_URL], indirect=True)
async def test_redis_rings_the_doorbell_of_the_other_process(with_redis):
    client = await _connected(with_redis)
    delays = await _delays(with_redis, client)
    assert statistics.median(delays) < 0.08  # looking alone takes 0.125 s on average
    await client.close()


@pytest.mark.parametrize("with_redis", ["redis://127.0.0.1:1/0"], indirect=True)
async def test_without_redis_nothing_is_lost_and_little_is_logged(with_redis):
    client = await _connected(with_redis)
    delays = await _delays(with_redis, client)
    assert max(delays) < 2
    lines = [
        line
        for line in with_redis.log.read_text().splitlines()
        if "events.relay" in line or "channels" in line
    ]
    assert len(lines) < 10
    await client.close()
