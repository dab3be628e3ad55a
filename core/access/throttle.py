"""Slowing down whoever guesses: failures counted in the database, so that all processes count together.

A try is counted before it is judged, so a hundred tries at once are not a hundred free ones; a right password gives its
count back. Buckets are an address, or a user name at an address: nobody is locked out by what others do elsewhere.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from core.access.models import Throttle
from core.metrics import THROTTLED
from core.problems import Problem

logger = logging.getLogger("core.access")

WINDOW = timedelta(minutes=5)
KEY_FAILURES = 7
PASSWORD_FAILURES = 7
ADDRESS_FAILURES = 25
_REMEMBERED = 10_000

_lock = threading.Lock()
#: Buckets known to be full, and until when by the monotonic clock: a flood costs no queries.
_full: dict[str, float] = {}


def count_wrong_key(address: str) -> None:
    """Count a wrong key. Raises 429 from the eighth on; a right key is never asked about.

    While the database is away nothing is counted: the key is refused all the same.
    """
    try:
        _take(f"key@{_network(address)}", KEY_FAILURES, "key")
    except DatabaseError:
        logger.warning("a wrong key was not counted: the database failed")


def count_password_try(username: str, address: str) -> None:
    """Count a try to log in, before the password is hashed. Raises 429 when there were too many."""
    _take(_address_bucket(address), ADDRESS_FAILURES, "password")
    _take(_user_bucket(username, address), PASSWORD_FAILURES, "password")


def forgive_password_try(username: str, address: str) -> None:
    """The password was right: forget the user's failures at this address and give this try back to the address."""
    Throttle.objects.filter(bucket=_user_bucket(username, address)).delete()
    given_back = Throttle.objects.filter(bucket=_address_bucket(address), failures__gt=0)
    given_back.update(failures=F("failures") - 1)


def forget_full_buckets() -> None:
    """Ask the database again about every bucket (for tests, and after the table was emptied by hand)."""
    with _lock:
        _full.clear()


def _user_bucket(username: str, address: str) -> str:
    # Hashed, because a name that was typed may be a password and may be of any length.
    name = hashlib.sha256(username.lower().encode("utf-8", "replace")).hexdigest()[:32]
    return f"user:{name}@{_network(address)}"


def _address_bucket(address: str) -> str:
    return f"password@{_network(address)}"


def _network(address: str) -> str:
    """The address, or for IPv6 its /64: whoever has one address there has all of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _take(bucket: str, limit: int, kind: str) -> None:
    retry_after = _full_for(bucket) or _count(bucket, limit)
    if retry_after is None:
        return
    THROTTLED.labels(kind).inc()
    raise Problem(
        429,
        "too_many_failures",
        "Too many failed tries from this address; wait a little.",
        headers={"Retry-After": str(retry_after)},
    )


def _full_for(bucket: str) -> int | None:
    with _lock:
        until = _full.get(bucket)
        left = until - time.monotonic() if until is not None else 0.0
        if until is not None and left <= 0:
            del _full[bucket]
    return math.ceil(left) if left > 0 else None


def _count(bucket: str, limit: int) -> int | None:
    """Count one failure; None when it still fits, else the seconds until the window ends.

    Only conditional updates that change exactly one row count, so several processes agree.
    """
    for _ in range(5):
        now = timezone.now()
        if _updated(bucket, now, limit):
            return None
        row, created = Throttle.objects.get_or_create(
            bucket=bucket, defaults={"failures": 1, "window_ends_at": now + WINDOW}
        )
        if created:
            return None
        if row.window_ends_at > now and row.failures >= limit:
            left = (row.window_ends_at - now).total_seconds()
            _remember_full(bucket, left)
            return max(1, math.ceil(left))
    return 1  # five lost races in a row: somebody hammers this bucket


def _updated(bucket: str, now: datetime, limit: int) -> bool:
    rows = Throttle.objects.filter(bucket=bucket)
    running = rows.filter(window_ends_at__gt=now, failures__lt=limit)
    if running.update(failures=F("failures") + 1) == 1:
        return True
    ended = rows.filter(window_ends_at__lte=now)
    return ended.update(failures=1, window_ends_at=now + WINDOW) == 1


def _remember_full(bucket: str, left_s: float) -> None:
    with _lock:
        if len(_full) >= _REMEMBERED:
            _full.clear()
        _full[bucket] = time.monotonic() + left_s
