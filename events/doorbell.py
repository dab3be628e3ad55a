"""The hint that new events exist. It may be lost: readers look for themselves every 250 ms at the latest."""

from __future__ import annotations

from collections.abc import Callable

_listeners: set[Callable[[], None]] = set()


def ring() -> None:
    """Tell this process's hub. Safe from any thread; never raises."""
    for listener in list(_listeners):
        listener()


def listen(listener: Callable[[], None]) -> Callable[[], None]:
    """Call `listener` (from any thread) at each ring; returns the function that ends it."""
    _listeners.add(listener)
    return lambda: _listeners.discard(listener)
