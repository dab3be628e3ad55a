"""CPU per 1,000 probes: our engine, aiohttp under the same guard, and plain httpx. Prints a table; takes under a minute.

    .venv/bin/python bench/outbound_aiohttp.py [--aiohttp DIRECTORY]

The server runs on one core, the clients, one after the other, on another. Every probe is a new connection. aiohttp is
installed into a temporary directory unless one that holds it is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BODY = b'{"node_id":"NODA1","status":"ok","filler":"' + b"x" * 816 + b'"}'
HEADERS = {"Authorization": "Bearer " + "k" * 40, "X-Request-ID": "0123456789abcdef"}
DEADLINE_S = 2.0
MAX_BYTES = 262_144
WORKERS = 100
ROUNDS = 3
#: Probes per round: bursts by workers, and spread evenly over SPREAD_S.
BURST = {"engine": 4000, "aiohttp": 2000, "httpx": 300}
SPREAD = {"engine": 600, "aiohttp": 600, "httpx": 150}
SPREAD_S = 1.5

Probe = Callable[[], Awaitable[int]]


class Node(asyncio.Protocol):
    """Answers every request with the same JSON."""

    answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (len(BODY), BODY)
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(self.answer)  # type: ignore[attr-defined]


def pin(core: int) -> None:
    """Stay on one core, where the machine has that many."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > core:
        os.sched_setaffinity(0, {core})


async def serve() -> None:
    pin(1)
    server = await asyncio.get_running_loop().create_server(Node, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def engine_probe(url: str, stack: AsyncExitStack) -> Probe:
    from core.outbound import Purpose
    from core.outbound.engine import fetch

    async def probe() -> int:
        answer = await fetch(
            "GET", url, purpose=Purpose.PROBE, headers=HEADERS, deadline_s=DEADLINE_S, max_bytes=MAX_BYTES
        )  # fmt: skip
        return len(answer.body)

    return probe


async def aiohttp_probe(url: str, stack: AsyncExitStack) -> Probe:
    import aiohttp

    from core.outbound import Purpose
    from core.outbound.guard import get_guard

    guard = get_guard()

    def checked_socket(info: tuple) -> socket.socket:
        family, kind, protocol, _, (ip, port, *_rest) = info
        guard.check_address(Purpose.PROBE, "http", ip, ip, port)
        return socket.socket(family, kind, protocol)

    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, force_close=True, socket_factory=checked_socket, use_dns_cache=False
            ),
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            auto_decompress=False,
            trust_env=False,
            max_field_size=32_768,
            headers={"Accept-Encoding": "identity"},
        )
    )

    async def probe() -> int:
        async with session.get(url, headers=HEADERS, allow_redirects=False) as answer:
            size = 0
            async for part in answer.content.iter_any():
                size += len(part)
                if size > MAX_BYTES:
                    raise ValueError("too large")
            return size

    return probe


async def httpx_probe(url: str, stack: AsyncExitStack) -> Probe:
    import httpx

    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=0)
    client = await stack.enter_async_context(
        httpx.AsyncClient(limits=limits, timeout=DEADLINE_S, trust_env=False)
    )

    async def probe() -> int:
        return len((await client.get(url, headers=HEADERS)).content)

    return probe


async def burst(probe: Probe, count: int) -> None:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            assert await probe() == len(BODY)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(WORKERS, count)):
            group.create_task(work())


async def spread(probe: Probe, count: int) -> None:
    async def later(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        assert await probe() == len(BODY)

    async with asyncio.TaskGroup() as group:
        for place in range(count):
            group.create_task(later(SPREAD_S * place / count))


async def measure(name: str, url: str) -> dict[str, float]:
    """CPU seconds per 1,000 probes, for bursts and spread ones."""
    pin(0)
    result = {}
    async with AsyncExitStack() as stack:
        probe = await globals()[f"{name}_probe"](url, stack)
        await burst(probe, 50)
        for structure, count in ((burst, BURST[name]), (spread, SPREAD[name])):
            began = time.process_time()
            await structure(probe, count)
            result[structure.__name__] = (time.process_time() - began) / count * 1000
    return result


def client(name: str, url: str) -> None:
    import django
    import uvloop

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")
    django.setup()
    print(json.dumps(uvloop.run(measure(name, url))))


def run(name: str, url: str, extra: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as data_dir:
        done = subprocess.run(  # ourselves
            [sys.executable, __file__, "--client", name, "--url", url],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{extra}", "DATA_DIR": data_dir},
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
    return json.loads(done.stdout)


def compare(extra: str) -> None:
    server = subprocess.Popen(  # ourselves
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/monitor/status"
        rounds = [{name: run(name, url, extra) for name in BURST} for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.wait(10)
    print(f"{'':10}{'burst: CPU-s per 1,000':>36}{'spread: CPU-s per 1,000':>36}")
    for name in BURST:
        line = f"{name:10}"
        for kind in ("burst", "spread"):
            values = [r[name][kind] for r in rounds]
            ratio = statistics.median(r[name][kind] / r["engine"][kind] for r in rounds)
            spread_of = f"({min(values):.3f} to {max(values):.3f})"
            line += f"{statistics.median(values):10.3f} {spread_of:>17} {ratio:6.2f}x"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aiohttp", help="a directory that holds aiohttp")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        uvloop.run(serve())
    elif options.client:
        client(options.client, options.url)
    elif options.aiohttp:
        compare(options.aiohttp)
    else:
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
            subprocess.run([*pip, "aiohttp==3.14.5"], check=True)  # a fixed list
            compare(folder)


if __name__ == "__main__":
    main()
