"""The web part: uvicorn on a socket that is already listening, drained in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from events.hub import get_hub
from sofiia_site.serving.protocol import GuardedHttpProtocol

#: In-flight requests may take this long once the stop has come; streams are closed before.
GRACE_S = 6


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has other parts to stop too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_web(stop: asyncio.Event, listener: socket.socket) -> None:
    """Serve until `stop`; then close the streams with 1012, let requests finish, and return."""
    from sofiia_site.asgi import application

    server = _Server(
        uvicorn.Config(
            application,
            http=GuardedHttpProtocol,
            ws="websockets-sansio",
            ws_per_message_deflate=False,  # 2.6x the CPU and 3x the memory per connection when a browser offers it
            ws_max_size=64 * 1024,
            ws_max_queue=32,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # takes the wrong end of X-Forwarded-For; the edge does it
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        await get_hub().close(1012)
        server.should_exit = True
    await serving
