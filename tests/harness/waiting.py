"""Waiting for something to become true, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NeverHappened(AssertionError):
    """What was waited for did not come in time; the message has the last answer."""


def eventually(ask: Callable[[], T], deadline_s: float = 10, every_s: float = 0.1) -> T:
    """The first true answer of `ask`. Raises NeverHappened after the deadline."""
    ends = time.monotonic() + deadline_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise NeverHappened(f"not within {deadline_s:g} s; last answer: {answer!r}")
        time.sleep(every_s)
