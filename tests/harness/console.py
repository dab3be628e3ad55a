"""The console as a real process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from tests.harness.waiting import NeverHappened, eventually

CHECKOUT = Path(__file__).resolve().parents[2]
START_S = 30.0
#: What a child inherits; every variable of the console is given by the test or has its default.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class ConsoleDied(AssertionError):
    """The process ended before it was healthy; the message has its log."""


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """A clean environment with `variables` in it."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONUNBUFFERED": "1", **variables}


class ConsoleProcess:
    """`manage.py serve` in a process group of its own, with its own data directory and port.

    A context manager: started and healthy inside, ended after it. Stopping concerns this process group alone.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str = "",
        arguments: Sequence[str] = (),
        port: int | None = None,
        **variables: str,
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self._arguments = list(arguments)
        self._variables = {"DATA_DIR": str(data_dir), "PORT": str(self.port), **variables}
        if database_url:
            self._variables["DATABASE_URL"] = database_url
        self._process: subprocess.Popen[bytes] | None = None
        self.started_in_s = 0.0

    # --- life ------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start and wait until `/api/health` answers. Raises ConsoleDied with the log."""
        self.launch()
        began = time.monotonic()
        try:
            eventually(self._is_healthy, START_S, every_s=0.05)
        except NeverHappened as exc:
            self.kill()
            raise ConsoleDied(f"not healthy within {START_S:g} s\n{self.log_text}") from exc
        self.started_in_s = time.monotonic() - began
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *self._arguments],
                cwd=CHECKOUT,
                env=child_environment(self._variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process

    def _is_healthy(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise ConsoleDied(f"exit status {self.exit_status}\n{self.log_text}")
        try:
            return self.get("/api/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        return self._process.poll() if self._process else None

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait for the end."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def signal(self, number: signal.Signals) -> None:
        """A signal to the main process alone, as a supervisor or a terminal sends it."""
        assert self._process is not None
        self._process.send_signal(number)

    def terminate(self, timeout_s: float = 15) -> int:
        """SIGTERM as a supervisor sends it; the exit status. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        self.signal(signal.SIGTERM)
        return self._process.wait(timeout_s)

    def restart(self) -> Self:
        """Kill it if it still lives, and start it again on the same data and port."""
        self.kill()
        return self.start()

    def manage(self, *arguments: str, **variables: str) -> str:
        """A `manage.py` command on the same data; its output. Raises CalledProcessError."""
        ended = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=child_environment({**self._variables, **variables}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=True,
        )
        return ended.stdout

    # --- talking to it ---------------------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/events"

    @property
    def log_text(self) -> str:
        """Everything that it has said, in all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def login_url(self) -> str | None:
        """The one-time login that it printed last."""
        found: list[str] = re.findall(r"http://\S+/ui/welcome/\S+", self.log_text)
        return found[-1] if found else None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request on a connection of its own; no redirects, no proxy variables."""
        with httpx.Client(trust_env=False, timeout=options.pop("timeout", 10)) as client:
            return client.request(method, self.url + path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)
