"""The Channels server instead of uvicorn: started the same way, with the limits told in docs/servers.md."""

from __future__ import annotations

import asyncio
import threading

from django.conf import settings


def serve_with_daphne(parts: tuple[str, ...]) -> int:
    """Run daphne in this thread and the other parts on an event loop of their own; returns the exit status."""
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    from sofiia_site.asgi import application

    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(_others(parts, stop)), name="parts"
    )
    thread.start()
    environment = settings.ENVIRONMENT
    try:
        Server(
            application=application,
            endpoints=build_endpoint_description_strings(
                host=environment.bind_host, port=environment.port
            ),
            signal_handlers=True,
            server_name="",
            websocket_timeout=-1,
            http_timeout=60,
        ).run()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=8)
    return 0


async def _others(parts: tuple[str, ...], stop: asyncio.Event) -> None:
    from nodes.prober import run_poller
    from sofiia_site.serving.housekeeping import run_follower, run_scheduler

    running = [(run_scheduler if "scheduler" in parts else run_follower)(stop)]
    if "poller" in parts:
        running.append(run_poller(stop))
    await asyncio.gather(*running)
