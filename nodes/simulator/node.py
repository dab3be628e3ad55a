"""One simulated node: a port, a character, and a memory of who asked."""

from __future__ import annotations

import random
from collections import Counter, deque
from itertools import cycle
from time import monotonic

from nodes.simulator.characters import Character
from nodes.simulator.connection import Connection, Request
from nodes.simulator.dialects import respond
from nodes.simulator.hostile import ACTS
from nodes.simulator.listener import LOOPBACK, Listener
from nodes.simulator.vitals import Vitals


class UnknownAct(ValueError):
    """There is no hostile act of this name."""


class SimulatedNode:
    """A real HTTP server on loopback that behaves as its character says.

    `requests` counts by path, `arrivals` holds the monotonic times of the last thousand requests.
    """

    def __init__(
        self, node_id: str, character: Character, seed: int, *, port: int = 0, slow_s: float = 4.0
    ) -> None:
        self.node_id = node_id
        self.character = character
        self.slow_s = slow_s
        self.seed = seed
        self.vitals = Vitals(node_id, seed)
        self.requests: Counter[str] = Counter()
        self.arrivals: deque[float] = deque(maxlen=1000)
        self._acts = cycle(random.Random(seed).sample(list(ACTS), len(ACTS)))  # noqa: S311
        self._only_act: str | None = None
        self._listener = Listener(self._answer, port)

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether the node accepts connections."""
        return self._listener.is_open

    async def come_back(self) -> None:
        """Listen."""
        await self._listener.open()

    async def go_down(self) -> None:
        """Close the listening socket and reset every connection; from now on, refuse."""
        await self._listener.close()

    async def release(self) -> None:
        """Go down for good."""
        await self._listener.release()

    def become(self, character: Character, act: str | None = None) -> None:
        """Change the character; `act` fixes what a hostile node does (a name of `hostile.ACTS`, else UnknownAct)."""
        if act is not None and act not in ACTS:
            raise UnknownAct(f"unknown act {act!r}; known: {', '.join(ACTS)}")
        self.character, self._only_act = character, act

    def _answer(self, client: Connection, request: Request) -> None:
        self.requests[request.path] += 1
        self.arrivals.append(monotonic())
        match self.character:
            case Character.HANGING:
                return
            case Character.HOSTILE:
                client.perform(ACTS[self._only_act or next(self._acts)](client))
                return
            case Character.SLOW:
                delay_s = self.slow_s
            case _:
                delay_s = self.vitals.answer_delay_s()
        reply = respond(self.character, self.vitals, request)
        client.reply_after(delay_s, reply.status, reply.body)
