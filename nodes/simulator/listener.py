"""A port that can really be closed and opened again."""

from __future__ import annotations

import asyncio
import socket

from nodes.simulator.connection import Answer, Connection

LOOPBACK = "127.0.0.1"


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _refuse_if_taken(port: int) -> None:
    """SO_REUSEPORT alone would share a port with another fleet of the same user, and split its visitors."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))


class Listener:
    """Listens on one loopback port; while it is closed, connections are refused and nobody else gets the port.

    A second socket is bound to the port and never listens: it keeps the number, and it keeps the kernel from
    connecting a client to itself on a port of the ephemeral range.
    """

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self._answer = answer
        self._peers: set[Connection] = set()
        self._server: asyncio.Server | None = None
        if port:
            _refuse_if_taken(port)
        self._keeper = _bound(port)
        self.port: int = self._keeper.getsockname()[1]

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        """Accept connections."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Connection(self._answer, self._peers), sock=_bound(self.port), backlog=512
            )

    async def close(self) -> None:
        """Refuse connections and cut the open ones."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for peer in list(self._peers):
            peer.reset()
        for _ in range(3):  # both event loops close sockets in a later turn
            await asyncio.sleep(0)

    async def release(self) -> None:
        """Close, and give the port back."""
        await self.close()
        self._keeper.close()
