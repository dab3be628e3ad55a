"""Many simulated nodes in one event loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from nodes.simulator.characters import DEFAULT_MIX, Character, Mix, cast, parse_mix
from nodes.simulator.node import SimulatedNode
from nodes.simulator.timetable import stretches


class UnknownNode(LookupError):
    """The fleet has no node of this name."""


class Fleet:
    """`count` nodes in the shares of `mix`; the same `seed` gives the same fleet.

    Ports are `base_port`, `base_port` + 1, …, or whatever is free where `base_port` is 0. Slow nodes answer after
    70 to 95 % of `timeout_s`. `pace` speeds the timetable of the flapping nodes up.
    """

    def __init__(
        self,
        count: int,
        mix: Mix | str = DEFAULT_MIX,
        seed: int = 1,
        *,
        base_port: int = 0,
        timeout_s: float = 5.0,
        pace: float = 1.0,
    ) -> None:
        self._rng = random.Random(seed)  # noqa: S311  believable, not secret
        shares = parse_mix(mix) if isinstance(mix, str) else mix
        self._characters = cast(count, shares, self._rng)
        self._base_port = base_port
        self._timeout_s = timeout_s
        self._pace = pace
        self._timetables: dict[str, asyncio.Task[None]] = {}
        self.nodes: list[SimulatedNode] = []

    async def __aenter__(self) -> Self:
        try:
            for index, character in enumerate(self._characters):
                self.nodes.append(self._make(index, character))
                await self.nodes[-1].come_back()
        except BaseException:
            await self.stop()
            raise
        for node in self.nodes:
            if node.character is Character.FLAPPING:
                self._timetables[node.node_id] = asyncio.create_task(self._flap(node))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Every node goes down for good."""
        for timetable in self._timetables.values():
            timetable.cancel()
        self._timetables.clear()
        for node in self.nodes:
            await node.release()

    def node(self, node_id: str) -> SimulatedNode:
        """The node of this name. Raises UnknownNode."""
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        raise UnknownNode(f"no node {node_id!r} in this fleet")

    def of(self, *characters: Character) -> list[SimulatedNode]:
        """The nodes that have one of these characters now."""
        return [node for node in self.nodes if node.character in characters]

    async def go_down(self, node_id: str) -> None:
        """Take one node down; it stays down, whatever its timetable says."""
        await self._by_hand(node_id, self.node(node_id).go_down())

    async def come_back(self, node_id: str) -> None:
        """Bring one node back; it stays up."""
        await self._by_hand(node_id, self.node(node_id).come_back())

    async def _by_hand(self, node_id: str, change: Coroutine[Any, Any, None]) -> None:
        timetable = self._timetables.pop(node_id, None)
        if timetable is not None:
            timetable.cancel()
        await change

    async def _flap(self, node: SimulatedNode) -> None:
        for up_s, away_s in stretches(node.seed, self._pace):
            await asyncio.sleep(up_s)
            await node.go_down()
            await asyncio.sleep(away_s)
            await node.come_back()

    def _make(self, index: int, character: Character) -> SimulatedNode:
        return SimulatedNode(
            f"sim-{index + 1:03d}",
            character,
            seed=self._rng.getrandbits(32),
            port=self._base_port + index if self._base_port else 0,
            slow_s=self._timeout_s * self._rng.uniform(0.7, 0.95),
        )
