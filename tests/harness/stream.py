"""A client of `/ws/events` that survives the console."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect


@contextmanager
def open_stream(url: str, since: int | None = None, types: str = "") -> Iterator[ClientConnection]:
    """A WebSocket to the event stream, from the event after `since` on."""
    asked = {"since": since, "types": types or None}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    address = f"{url}?{query}" if query else url
    with connect(address, proxy=None, open_timeout=5, compression=None) as socket:
        yield socket


def next_of(socket: ClientConnection, type: str, deadline_s: float = 10) -> dict[str, Any]:
    """The next frame of this type. Raises TimeoutError."""
    ends = time.monotonic() + deadline_s
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=max(0.0, ends - time.monotonic())))
        if frame["type"] == type:
            return frame


class ResumingReader:
    """Reads events in a thread; when the connection breaks, it comes back with the last id that it has seen.

    `frames` and `ids` are in the order of arrival, so doubles and gaps show; `faults` is what should never come.
    """

    def __init__(self, url: str, since: int = 0, types: str = "") -> None:
        self._url, self._types = url, types
        self._last = since
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self.frames: list[dict[str, Any]] = []
        self.connections = 0
        self.faults: list[dict[str, Any]] = []

    def __enter__(self) -> ResumingReader:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)

    @property
    def ids(self) -> list[int]:
        """The ids of `frames`."""
        return [frame["id"] for frame in self.frames]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with open_stream(self._url, self._last, self._types) as socket:
                    self.connections += 1
                    self._read(socket)
            except (OSError, ConnectionClosed, InvalidHandshake, EOFError):
                time.sleep(0.05)

    def _read(self, socket: ClientConnection) -> None:
        while not self._stop.is_set():
            try:
                frame = json.loads(socket.recv(timeout=0.2))
            except TimeoutError:
                continue
            if frame["type"] == "error" and frame.get("id") is None:
                self.faults.append(frame)
            elif frame["type"] == "cursor":
                self._last = frame["id"]
            elif frame["type"] not in ("hello", "pong"):
                self.frames.append(frame)
                self._last = frame["id"]
