"""Goal C: CPU per delivered message of the hub, against the same frames sent by a bare loop over `await send()`.

    .venv/bin/python bench/events_fan_out.py [CLIENTS]

Both run in this process under uvicorn and uvloop; the clients are a child process that only counts. The bare loop is
`hubdirect` of the design's measurements, which cost 0.79 of a FastAPI connection manager at 5,000 clients.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="sofiia-bench-"))

import django

django.setup()

import uvicorn  # noqa: E402
import uvloop  # noqa: E402
from asgiref.sync import sync_to_async  # noqa: E402
from django.core.management import call_command  # noqa: E402

from events.consumers import EventStreamConsumer  # noqa: E402
from events.hub import get_hub  # noqa: E402
from events.services import append  # noqa: E402

DATA = {"run_id": 17, "task": "release_check", "status": "running", "pad": "x" * 150}
RATE, SECONDS = 10, 5


def count_frames(port: int, clients: int, ready: Any, stop: Any, counted: Any) -> None:
    """The child: raw sockets, an epoll loop, bytes counted by the marker that every event has once."""
    import selectors

    selector = selectors.DefaultSelector()
    request = (
        b"GET /ws/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for _ in range(clients):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(request)
        client.recv(4096)
        selector.register(client, selectors.EVENT_READ)
    ready.set()
    frames = 0
    while not stop.is_set():
        for key, _ in selector.select(0.2):
            frames += key.fileobj.recv(262_144).count(b"release_check")  # type: ignore[union-attr]
    counted.value = frames


class Loop:
    """The floor of what ASGI allows: one encoding, every client's send awaited in turn, no safety at all."""

    def __init__(self) -> None:
        self.sends: set[Callable[[Any], Any]] = set()

    async def __call__(
        self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]
    ) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.sends.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.sends.discard(send)

    async def publish(self) -> None:
        text = json.dumps({"type": "ops.run", "id": 1, "data": DATA})
        for send in tuple(self.sends):
            await send({"type": "websocket.send", "text": text})


async def publish_event() -> None:
    await sync_to_async(append)("ops.run", DATA)


async def measure(name: str, app: Any, publish: Callable[[], Any], clients: int) -> float:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(app, lifespan="off", log_level="error", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    ready, stop = multiprocessing.Event(), multiprocessing.Event()
    counted = multiprocessing.Value("l", 0)
    port = listener.getsockname()[1]
    child = multiprocessing.Process(target=count_frames, args=(port, clients, ready, stop, counted))
    child.start()
    while not ready.is_set():
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(RATE * SECONDS):
        await publish()
        await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.perf_counter()))
    await asyncio.sleep(1)
    cpu = time.process_time() - cpu
    stop.set()
    while child.is_alive():
        await asyncio.sleep(0.05)
    expected = clients * RATE * SECONDS
    each = cpu / max(counted.value, 1) * 1e6
    print(
        f"{name:5} {clients} clients: {counted.value / expected:.1%} delivered, {each:.1f} µs CPU per message"
    )
    server.should_exit = True
    if get_hub().clients:
        await get_hub().close()
    await asyncio.wait([task], timeout=5)
    return each


async def main(clients: int) -> None:
    loop = Loop()
    theirs = await measure("loop", loop, loop.publish, clients)
    ours = await measure("hub", EventStreamConsumer(), publish_event, clients)
    print(f"ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    call_command("migrate", verbosity=0, skip_checks=True)
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
