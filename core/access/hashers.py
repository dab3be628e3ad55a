"""Password hashing that costs about 100 ms of one core, two at once at most, so a login storm cannot take the machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from core.problems import Problem

MAX_AT_ONCE = 2
#: Whoever has not got a turn after this long is sent away; at 100 ms each, 20 wait 1 s.
MAX_WAIT_S = 5.0

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


class TunedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and three passes (OWASP's floor is 19 MiB and two)."""

    time_cost = 3
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash a password, in turn."""
        with _turn():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Check a password, in turn."""
        with _turn():
            return bool(super().verify(password, encoded))
