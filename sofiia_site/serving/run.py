"""One event loop, the chosen parts, one orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from django.conf import settings

from sofiia_site import VERSION
from sofiia_site.lifecycle import LIFECYCLE
from sofiia_site.serving.prepare import CannotStart, banner, prepare

logger = logging.getLogger("sofiia.serve")

PARTS = ("web", "poller", "scheduler")
#: Everything has to be over within ten seconds of the signal.
DRAIN_S = 8.0
MAX_FILES = 65_536
_M_ARENA_MAX = -8  # malloc.h


@dataclass(frozen=True)
class Plan:
    """Which parts to run, on which server, with how many simulated nodes, and where to tell about it."""

    parts: tuple[str, ...]
    server: str
    fleet: int
    say: Callable[[str], object]


def serve(plan: Plan) -> int:
    """Run until a signal; returns the exit status."""
    os.umask(0o077)  # what the console writes holds sessions, digests and telemetry
    plan.say(f"Sofiia {VERSION} · {settings.ENV} · build {settings.ENVIRONMENT.build_id}\n")
    try:
        web = "web" in plan.parts
        listener = _listen() if web else None
        result, token = prepare(may_migrate=plan.parts == PARTS, web=web)
    except CannotStart as exc:
        for line in str(exc).splitlines():
            print(f"sofiia-console: {line}", file=sys.stderr)
        return exc.status
    banner(plan.say, result, token, web=web)
    if plan.server == "daphne":
        if listener is not None:
            listener.close()
        from sofiia_site.serving.daphne_server import serve_with_daphne

        return serve_with_daphne(plan.parts)
    import uvloop

    _raise_file_limit()
    _share_arenas()
    # What was imported never becomes garbage; a collection need not walk it while requests wait.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(plan, listener))


def _raise_file_limit() -> None:
    """Every stream is a descriptor; the usual soft limit of 1,024 would end the fan-out early."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _share_arenas() -> None:
    """glibc gives every thread a heap of its own: with two for all, 99 MB were resident after 2,250 pages instead of 113."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _listen() -> socket.socket:
    """The listening socket, taken before anything else is touched."""
    environment = settings.ENVIRONMENT
    family = socket.AF_INET6 if ":" in environment.bind_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((environment.bind_host, environment.port))
        listener.listen(2048)
    except OSError as exc:
        listener.close()
        where = f"{environment.bind_host}:{environment.port}"
        raise CannotStart(
            f"cannot listen on {where}: {exc.strerror}; set PORT or BIND_HOST", 1
        ) from exc
    listener.setblocking(False)
    return listener


async def _run(plan: Plan, listener: socket.socket | None) -> int:
    stop = asyncio.Event()
    _watch_signals(stop)
    parts: dict[str, Awaitable[None]] = {}
    if listener is not None:
        from sofiia_site.serving.web import run_web

        parts["web"] = run_web(stop, listener)
    if "poller" in plan.parts:
        from nodes.prober import run_poller

        parts["poller"] = run_poller(stop)
    from sofiia_site.serving.housekeeping import run_follower, run_scheduler

    parts["scheduler"] = (run_scheduler if "scheduler" in plan.parts else run_follower)(stop)
    if plan.fleet:
        from nodes.simulator import run_fleet

        parts["fleet"] = run_fleet(stop, plan.fleet)
    return await _supervise(parts, stop)


async def _supervise(parts: dict[str, Awaitable[None]], stop: asyncio.Event) -> int:
    """Wait for the stop; a part that ends before it takes the process down with status 1, so that a supervisor sees it."""
    tasks = {asyncio.ensure_future(part): name for name, part in parts.items()}
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in tasks if task.done() and not stop.is_set()]
    for task in failed:
        logger.critical("part ended", exc_info=task.exception(), extra={"part": tasks[task]})
    stop.set()
    waiting.cancel()
    _done, late = await asyncio.wait(tasks, timeout=DRAIN_S)
    for task in late:
        logger.error("part did not stop in time", extra={"part": tasks[task]})
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1)
    return 1 if failed else 0


def _watch_signals(stop: asyncio.Event) -> None:
    """The first signal drains, the second ends the process at once."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: nothing is left to wait for
        LIFECYCLE.draining = True
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
