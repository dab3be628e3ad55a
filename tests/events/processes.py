"""Processes of the event log on a database of their own: one that serves the stream, any number that publish."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLISHES = 250
SEED = os.environ.get("SEED", "1")


class Processes:
    """Python processes on one database."""

    def __init__(self, database_url: str, **variables: str) -> None:
        self.port = free_port()
        self._running: list[subprocess.Popen[str]] = []
        self._environment = {
            **os.environ,
            "DATA_DIR": tempfile.mkdtemp(prefix="sofiia-writers-"),
            "DATABASE_URL": database_url,
            **variables,
        }
        self.log = Path(self._environment["DATA_DIR"]) / "log"
        self.start("manage.py", "migrate", "-v0", "--skip-checks").wait()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        return self.start("-m", "tests.events.stream_server", str(self.port))

    def write(
        self, number: int, publishes: int = PUBLISHES, pause_s: float = 0
    ) -> subprocess.Popen[str]:
        arguments = (f"{SEED}-{number}", str(publishes), str(pause_s))
        return self.start("-m", "tests.events.writer", *arguments)

    def stop(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


async def until(condition: Callable[[], bool], timeout: float = 60) -> None:
    """Wait for the condition. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.05)


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
