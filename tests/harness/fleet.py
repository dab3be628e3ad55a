"""A simulated fleet beside a synchronous test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from nodes.simulator import Fleet, SimulatedNode


class FleetThread:
    """A fleet in an event loop of its own thread; what changes it waits until the change is done."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fleet", daemon=True)

    @property
    def nodes(self) -> list[SimulatedNode]:
        return self.fleet.nodes

    def start(self) -> None:
        """Every node listens after this."""
        self._thread.start()
        self._do(self.fleet.__aenter__())

    def stop(self) -> None:
        """Every node is gone after this."""
        self._do(self.fleet.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def go_down(self, node_id: str) -> None:
        """The node refuses connections after this."""
        self._do(self.fleet.go_down(node_id))

    def come_back(self, node_id: str) -> None:
        """The node answers again after this."""
        self._do(self.fleet.come_back(node_id))

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def running_fleet(count: int, mix: str = "honest=1", **options: Any) -> Iterator[FleetThread]:
    """A fleet for the time of the block."""
    thread = FleetThread(Fleet(count, mix, **options))
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
