"""Nothing is lost, doubled or out of order, whoever writes at the same time and whatever is killed meanwhile.

Four processes publish; some transactions wait before they commit and some are rolled back, which is what makes a
sequence's order differ from the order of commits. Readers break off and resume at random.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.events.processes import SEED, Processes, until

WRITERS, READERS = 4, 3


@pytest.fixture
def processes(database_url: str) -> Iterator[Processes]:
    started = Processes(database_url)
    yield started
    started.stop()


@dataclass
class Reader:
    """Reads from id 0 on, breaking off at random and resuming after the last id that it saw."""

    url: str
    chance: random.Random
    ids: list[int] = field(default_factory=list)
    connections: int = 0

    async def read(self) -> None:
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                await self._read_some(self.chance.randint(1, 150))
            await asyncio.sleep(self.chance.random() * 0.05)

    async def _read_some(self, count: int) -> None:
        since = self.ids[-1] if self.ids else 0
        # With a bounded queue this client would not see the answer to its own close frame behind unread events.
        url = f"{self.url}?since={since}"
        async with connect(url, open_timeout=2, close_timeout=1, max_queue=None) as client:
            self.connections += 1
            while count:
                frame = json.loads(await client.recv())
                assert frame["type"] in ("hello", "ops.run", "cursor"), frame
                if frame["type"] == "ops.run":
                    self.ids.append(frame["id"])
                    count -= 1


async def _publish_and_read(processes: Processes, *, kill_server: bool) -> None:
    server = processes.serve()
    url = f"ws://127.0.0.1:{processes.port}/ws/events"
    readers = [Reader(url, random.Random(f"{SEED}-reader-{n}")) for n in range(READERS)]
    tasks = [asyncio.create_task(reader.read()) for reader in readers]
    await until(lambda: all(reader.connections for reader in readers))
    writers = [processes.write(number) for number in range(WRITERS)]
    if kill_server:
        await until(lambda: len(readers[0].ids) > 300)
        server.kill()
        processes.serve()
    outputs = await asyncio.gather(*(asyncio.to_thread(w.communicate) for w in writers))
    committed = sorted(id for output, _ in outputs for id in json.loads(output))
    with suppress(TimeoutError):  # the comparison below says more
        await until(lambda: all(r.ids and r.ids[-1] >= committed[-1] for r in readers), 30)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for reader in readers:
        assert reader.ids == committed
        assert reader.connections > 3


@pytest.mark.slow
async def test_every_committed_event_arrives_once_and_in_order(processes):
    await _publish_and_read(processes, kill_server=False)


@pytest.mark.slow
async def test_also_when_the_server_is_killed_meanwhile(processes):
    await _publish_and_read(processes, kill_server=True)
