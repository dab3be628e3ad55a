"""Keys and password hashes: strength, turns, and times that tell nothing."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import Argon2PasswordHasher

from core.access import hashers, keys
from core.access.keys import KEYS
from core.problems import Problem
from tests.factories import PASSWORD, make_user


def test_keys_differ_and_are_long_enough() -> None:
    made = [keys.generate() for _ in range(10_000)]

    assert len({key_id for key_id, _ in made}) == len({secret for _, secret in made}) == 10_000
    letters = Counter("".join(secret for _, secret in made))
    assert len(letters) == 32
    expected = 10_000 * 40 / 32
    chi_square = sum((count - expected) ** 2 / expected for count in letters.values())
    assert chi_square < 80  # 31 degrees of freedom: one in a hundred thousand is above 74


def test_one_password_at_most_is_hashed_at_once_by_a_thread_that_steps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, running, most = threading.Lock(), [0], [0]
    nice: set[int] = set()

    def encode(self: object, password: str, salt: str) -> str:
        nice.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return "hash"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", encode)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: hashers.TunedArgon2Hasher().encode("p", "s" * 22), range(16)))

    assert most == [1]
    assert min(nice) > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_whoever_waits_too_long_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashers, "MAX_WAIT_S", 0.01)
    monkeypatch.setattr(hashers, "_turns", threading.BoundedSemaphore(1))

    with hashers._turn(), pytest.raises(Problem) as caught:
        hashers.TunedArgon2Hasher().verify("p", "x")

    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "2")


@pytest.mark.django_db
def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    make_user("olena", password=PASSWORD)

    def took(username: str) -> float:
        began = time.process_time()
        assert authenticate(None, username=username, password="wrong-password") is None
        return time.process_time() - began

    known, unknown = [], []
    for _ in range(9):
        known.append(took("olena"))
        unknown.append(took("nobody"))

    assert median(unknown) == pytest.approx(median(known), rel=0.35)


@pytest.mark.django_db
def test_checking_a_key_costs_microseconds() -> None:
    KEYS.current()
    began = time.perf_counter()
    for _ in range(1000):
        KEYS.find("not-our-form-at-all")
    assert (time.perf_counter() - began) < 0.5
