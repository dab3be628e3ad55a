"""A real server on loopback with the two streams mounted, and a client that reads JSON frames."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.db import connections
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from events import services
from events.consumers import EventStreamConsumer
from events.hub import get_hub
from events.sse import event_stream


class Frames:
    """What one WebSocket client receives, one JSON object after the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.read: list[str] = []

    async def next(self, timeout: float = 5) -> dict[str, Any]:
        async with asyncio.timeout(timeout):
            frame = json.loads(await self.socket.recv())
        self.read.append(frame["type"])
        return frame

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def say(self, message: Any) -> None:
        text = message if isinstance(message, str | bytes) else json.dumps(message)
        await self.socket.send(text)

    async def is_quiet(self, seconds: float = 0.5) -> bool:
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    async def closed_with(self, timeout: float = 8) -> int:
        """The close code, when everything that came before has been read."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    await self.next(timeout)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006


class Server:
    """Where the streams are served."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"

    @contextlib.asynccontextmanager
    async def stream(
        self, query: str = "", *, hello: bool = True, **options: Any
    ) -> AsyncIterator[Frames]:
        url = f"ws://{self.host}/ws/events?{query}"
        async with connect(url, compression=None, **options) as client:
            frames = Frames(client)
            if hello:
                assert (await frames.next())["type"] == "hello"
            yield frames


async def application(scope: Any, receive: Any, send: Any) -> None:
    app = EventStreamConsumer() if scope["type"] == "websocket" else event_stream
    await app(scope, receive, send)


Serve = Callable[[], AbstractAsyncContextManager[Server]]


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, lifespan="off", log_level="warning", ws_per_message_deflate=False,
        ws_max_size=1024 * 1024, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield Server(listener.getsockname()[1])
    finally:
        await get_hub().close()
        server.should_exit = True
        await task


@pytest.fixture
async def elsewhere(transactional_db: None) -> AsyncIterator[None]:
    """For tests whose `sync_to_async` code uses the database: its thread gives the connection back."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def server(elsewhere: None) -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


@pytest.fixture
def append() -> Callable[..., Any]:
    """Append one event in another thread, as every writer does; returns it."""
    return sync_to_async(
        lambda type, data=None, **about: services.append(type, data or {}, **about)
    )


@pytest.fixture
def append_many() -> Callable[..., Any]:
    """Append a number of events of one type in one transaction; returns their ids."""

    def write(count: int, type: str = "ops.run", size: int = 0) -> list[int]:
        new = [services.NewEvent(type, {"n": n, "pad": "x" * size}) for n in range(count)]
        return services.append_many(new)

    return sync_to_async(write)


@pytest.fixture
def console_key(settings: Any) -> str:
    """The console's own key, which is an admin's."""
    key = "a-console-key-of-more-than-32-characters"
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, console_api_key=key)
    return key
