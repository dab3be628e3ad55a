"""A fleet inside another process: `serve --fleet N`."""

from __future__ import annotations

import asyncio
import errno
import logging

from asgiref.sync import sync_to_async
from django.conf import settings

from core.access.principals import system
from nodes.simulator.fleet import Fleet
from nodes.simulator.registration import register as register_fleet

logger = logging.getLogger("nodes.simulator")

#: Port of the remote control; the nodes follow. Below the ephemeral range, so that a second start finds it free again.
BASE_PORT = 18100


async def start_fleet(count: int, *, seed: int = 1, timeout_s: float = 5.0) -> Fleet:
    """A running fleet on the usual ports, or on any that are free where somebody has those."""
    for base_port in (BASE_PORT + 1, 0):
        fleet = Fleet(count, seed=seed, base_port=base_port, timeout_s=timeout_s)
        try:
            return await fleet.__aenter__()
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or base_port == 0:
                raise
            logger.info("usual ports are taken", extra={"base_port": base_port})
    raise AssertionError("unreachable")


async def run_fleet(
    stop: asyncio.Event, nodes: int, *, seed: int = 1, register: bool = True
) -> None:
    """Simulate `nodes` nodes until `stop`, registered in this console unless `register` is False."""
    timeout_s = settings.ENVIRONMENT.probe_timeout_s
    fleet = await start_fleet(nodes, seed=seed, timeout_s=timeout_s)
    try:
        if register:
            await sync_to_async(register_fleet)(fleet, system("simulator"))
        logger.info("fleet is up", extra={"nodes": nodes, "first": fleet.nodes[0].url})
        await stop.wait()
    finally:
        await fleet.stop()
