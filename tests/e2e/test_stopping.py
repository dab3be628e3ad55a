"""SIGTERM ends the console in order and in time."""

from __future__ import annotations

import signal
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.harness.stream import next_of, open_stream
from tests.harness.waiting import eventually


def close_code(stream: ClientConnection) -> int | None:
    """How the other side ended the stream, after whatever it had sent before."""
    try:
        while True:
            stream.recv(timeout=1)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_ten_seconds_with_status_0(launch, number):
    console = launch(arguments=["--fleet", "4"])
    with open_stream(console.ws_url) as stream:
        next_of(stream, "hello")
        began = time.monotonic()

        console.signal(number)
        eventually(lambda: not console.is_alive, 10)

        assert console.exit_status == 0, console.log_text
        assert time.monotonic() - began < 10
        assert close_code(stream) == 1012
    assert "Traceback" not in console.log_text


def test_a_second_signal_ends_it_at_once(launch):
    console = launch()
    with httpx.stream("GET", f"{console.url}/api/events/stream", trust_env=False, timeout=5):
        console.signal(signal.SIGTERM)
        console.signal(signal.SIGTERM)
        eventually(lambda: not console.is_alive, 3)
