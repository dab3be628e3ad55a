"""The hint that new events exist. It may be lost: readers look for themselves every 250 ms at the latest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class OtherProcesses(Protocol):
    """The way to the doorbells of other processes."""

    def announce(self) -> None:
        """Ring them. Safe from any thread; never waits, never raises."""

    def listen(self) -> None:
        """From now on ring ours when they ring."""


_listeners: set[Callable[[], None]] = set()
_others: OtherProcesses | None = None


def ring() -> None:
    """Tell this process's hub and, where there is a way, those of others. Safe from any thread; never raises."""
    ring_here()
    if _others is not None:
        _others.announce()


def ring_here() -> None:
    """Tell this process's hub only."""
    for listener in list(_listeners):
        listener()


def listen(listener: Callable[[], None]) -> Callable[[], None]:
    """Call `listener` (from any thread) at each ring; returns the function that ends it."""
    _listeners.add(listener)
    if _others is not None:
        _others.listen()
    return lambda: _listeners.discard(listener)


def connect(others: OtherProcesses | None) -> None:
    """Ring other processes too, and hear them."""
    global _others
    _others = others
