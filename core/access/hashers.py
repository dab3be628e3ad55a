"""Password hashing: about 100 ms of one core each, one at once, behind everything else: a login storm is not felt."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher

from core.problems import Problem

MAX_AT_ONCE = 1
#: Whoever has not got a turn after this long is sent away; at 100 ms each, 20 wait 2 s.
MAX_WAIT_S = 5.0

#: Twenty logins at once made other answers wait 400 ms (p95) with two hashes beside each other, 25 ms with one in a
#: thread that steps back; 10 ms without logins.
_NICE = 10

T = TypeVar("T")


def _step_back() -> None:
    with suppress(AttributeError, OSError):  # a thread's own niceness is known to Linux alone
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


_threads = ThreadPoolExecutor(MAX_AT_ONCE, "hash", _step_back)
_turns = threading.BoundedSemaphore(MAX_AT_ONCE)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=MAX_WAIT_S):
        raise Problem(
            503, "busy", "Too many people log in just now; try again.", headers={"Retry-After": "2"}
        )
    try:
        yield
    finally:
        _turns.release()


def _in_turn(job: Callable[[], T]) -> T:
    with _turn():
        return _threads.submit(job).result()


class TunedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and three passes (OWASP's floor is 19 MiB and two)."""

    time_cost = 3
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash a password, in turn."""
        return _in_turn(lambda: str(super(TunedArgon2Hasher, self).encode(password, salt)))

    def verify(self, password: str, encoded: str) -> bool:
        """Check a password, in turn."""
        return _in_turn(lambda: bool(super(TunedArgon2Hasher, self).verify(password, encoded)))
