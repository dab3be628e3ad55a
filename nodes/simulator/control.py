"""The remote control of a fleet: a port of its own, so that a test in another process can take a node down.

`GET /_sim` tells what there is; `POST /_sim/off`, `/_sim/on` and `/_sim/character` take `{"node": "sim-001"}`, the
last one also `"character"` and, for a hostile one, `"act"`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from nodes.simulator.characters import Character
from nodes.simulator.connection import Connection, Request
from nodes.simulator.fleet import Fleet, UnknownNode
from nodes.simulator.listener import LOOPBACK, Listener
from nodes.simulator.node import SimulatedNode


def describe(node: SimulatedNode) -> dict[str, Any]:
    """One node for programs."""
    return {
        "node": node.node_id,
        "url": node.url,
        "character": str(node.character),
        "up": node.is_up,
        "requests": node.requests.total(),
    }


class Control:
    """Serves the remote control of `fleet` on a loopback port (0: any that is free)."""

    def __init__(self, fleet: Fleet, port: int = 0) -> None:
        self._fleet = fleet
        self._listener = Listener(self._answer, port)
        self._commands: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "/_sim/off": self._off,
            "/_sim/on": self._on,
            "/_sim/character": self._character,
        }

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._listener.port}"

    async def start(self) -> None:
        """Accept commands."""
        await self._listener.open()

    async def stop(self) -> None:
        """Accept no more commands."""
        await self._listener.release()

    def _answer(self, client: Connection, request: Request) -> None:
        if request.path == "/_sim" and request.method == "GET":
            client.reply(200, {"nodes": [describe(node) for node in self._fleet.nodes]})
        elif request.path in self._commands and request.method == "POST":
            client.perform(self._obey(client, request))
        else:
            client.reply(404, {"detail": "GET /_sim; POST /_sim/off, /_sim/on, /_sim/character"})

    async def _obey(self, client: Connection, request: Request) -> None:
        try:
            order = dict(orjson.loads(bytes(request.body)))
            await self._commands[request.path](order)
            client.reply(200, describe(self._fleet.node(str(order["node"]))))
        except UnknownNode as exc:
            client.reply(404, {"detail": str(exc)})
        except (ValueError, TypeError, KeyError) as exc:
            client.reply(422, {"detail": f"{type(exc).__name__}: {exc}"})

    async def _off(self, order: dict[str, Any]) -> None:
        await self._fleet.go_down(str(order["node"]))

    async def _on(self, order: dict[str, Any]) -> None:
        await self._fleet.come_back(str(order["node"]))

    async def _character(self, order: dict[str, Any]) -> None:
        node = self._fleet.node(str(order["node"]))
        node.become(Character(order["character"]), order.get("act"))
