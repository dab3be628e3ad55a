"""Sending without a task: a coroutine is run as far as it goes, and only what would wait becomes a task.

Most sends end at once, because the socket takes the frame. A task for each costs more than the send itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from types import CoroutineType, coroutine
from typing import Any


def step(awaitable: Awaitable[None]) -> Awaitable[None] | None:
    """Run the awaitable until it ends (None) or would wait (what is left of it, to be awaited once).

    Servers whose `send` returns something other than a coroutine are simply awaited.
    """
    if type(awaitable) is not CoroutineType:
        return awaitable
    try:
        waiting = awaitable.send(None)
    except StopIteration:
        return None
    return _rest(awaitable, waiting)


@coroutine
def _rest(begun: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Wait for what the coroutine waits for, then go on with it; cancelling goes through to it."""
    while True:
        thrown: BaseException | None = None
        value = None
        try:
            value = yield waiting
        except BaseException as exc:
            thrown = exc
        try:
            waiting = begun.send(value) if thrown is None else begun.throw(thrown)
        except StopIteration:
            return
