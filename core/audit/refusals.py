"""Refusals in the audit, bounded: who hammers the door fills neither the disk nor the chain, nor waits for a database."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.db import DatabaseError, connection

from core.audit.services import Actor, record

logger = logging.getLogger("core.audit")

PER_WINDOW = 30
#: A proxy in front speaks for many: it may cause this many times as much.
PEER_FACTOR = 10
WINDOW_S = 60.0
#: A refusal waits this long at most for what is written about it.
WAIT_S = 0.8
_REMEMBERED = 10_000
_WAITING = 256
_AT_END_S = 2.0

T = TypeVar("T")

_lock = threading.Lock()
#: Address to (start of its window, refusals in it).
_windows: dict[str, tuple[float, int]] = {}


def record_refusal(
    actor: Actor,
    target: str,
    status: int,
    code: str,
    action: str = "request.refused",
    *,
    peer: str = "",
) -> None:
    """Write one row; after 30 in a minute from one address one `request.suppressed`, then none.

    `peer` is the proxy where one stands between; it may cause ten times as many. A refusal stands even when it cannot
    be written (that is logged and nothing more), and it does not wait for a busy database: see `soon`.
    """
    limits = {actor.address: PER_WINDOW}
    if peer and peer != actor.address:
        limits[f"proxy {peer}"] = PER_WINDOW * PEER_FACTOR
    over = max(_count(who) - limit for who, limit in limits.items())
    if over > 1:
        return
    try:
        soon(lambda: _write(actor, target, status, code, action, is_last=over == 1))
    except TimeoutError:
        logger.warning("a refusal is not yet written into the audit: the database is busy")


def _write(
    actor: Actor, target: str, status: int, code: str, action: str, *, is_last: bool
) -> None:
    try:
        if is_last:
            record(
                "request.suppressed", actor=actor, outcome="refused", detail={"window_s": WINDOW_S}
            )
        else:
            detail = {"status": status, "code": code}
            record(action, actor=actor, target=target, outcome="refused", detail=detail)
    except (DatabaseError, OSError):
        logger.exception("a refusal was not written into the audit")


def soon(job: Callable[[], T]) -> T:
    """Do a write that a refusal causes, and wait for it 0.8 s at most.

    Raises what the job raises, or TimeoutError: then it is done later, or not at all where hundreds wait already.
    Inside a transaction it is done at once and belongs to it.
    """
    return job() if connection.in_atomic_block else _CLERK.ask(job)


class _Clerk:
    """A thread that writes on a connection of its own, so that those who ask can stop waiting."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None]] = queue.Queue(_WAITING)
        self._hiring = threading.Lock()
        self._thread: threading.Thread | None = None
        #: When the job at hand was begun: whoever comes later waits as much less for it.
        self._began: float | None = None

    def ask(self, job: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(job())
            except Exception as exc:
                done.set_exception(exc)

        try:
            self._jobs.put_nowait(run)
        except queue.Full:
            raise TimeoutError from None
        self._start()
        began = self._began
        already_s = time.monotonic() - began if began is not None else 0.0
        return done.result(max(0.0, WAIT_S - already_s))

    def finish(self) -> None:
        """Wait a little for what is not written yet."""
        with self._jobs.all_tasks_done:
            self._jobs.all_tasks_done.wait_for(lambda: not self._jobs.unfinished_tasks, _AT_END_S)

    def _start(self) -> None:
        with self._hiring:
            if self._thread is None or not self._thread.is_alive():  # a fork leaves threads behind
                self._thread = threading.Thread(target=self._work, name="refusals", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self._began = time.monotonic()
            job()
            self._began = None
            if self._jobs.empty():
                connection.close()
            self._jobs.task_done()


_CLERK = _Clerk()
atexit.register(_CLERK.finish)


def forget_windows() -> None:
    """Start counting anew (for tests)."""
    with _lock:
        _windows.clear()


def _count(address: str) -> int:
    now = time.monotonic()
    with _lock:
        began, count = _windows.get(address, (now, 0))
        if now - began >= WINDOW_S:
            began, count = now, 0
        if len(_windows) >= _REMEMBERED:
            _windows.clear()
        _windows[address] = (began, count + 1)
        return count + 1
