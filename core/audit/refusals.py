"""Refusals in the audit, bounded: who hammers the door fills neither the disk nor the chain."""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError

from core.audit.services import Actor, record

logger = logging.getLogger("core.audit")

PER_WINDOW = 30
WINDOW_S = 60.0
_REMEMBERED = 10_000

_lock = threading.Lock()
#: Address to (start of its window, refusals in it).
_windows: dict[str, tuple[float, int]] = {}


def record_refusal(
    actor: Actor, target: str, status: int, code: str, action: str = "request.refused"
) -> None:
    """Write one row; after 30 in a minute from one address one `request.suppressed`, then none.

    A refusal stands even when it cannot be written: that is logged and nothing more.
    """
    count = _count(actor.address)
    if count > PER_WINDOW + 1:
        return
    try:
        if count == PER_WINDOW + 1:
            record(
                "request.suppressed", actor=actor, outcome="refused", detail={"window_s": WINDOW_S}
            )
        else:
            detail = {"status": status, "code": code}
            record(action, actor=actor, target=target, outcome="refused", detail=detail)
    except (DatabaseError, OSError):
        logger.exception("a refusal was not written into the audit")


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
