"""Slowing down whoever guesses: failures counted in the database, so that all processes count together.

A try is counted before it is judged, so a hundred tries at once are not a hundred free ones; a right password gives its
count back. Buckets are an address, or a user name at an address: nobody is locked out by what others do elsewhere.
Where a proxy names the address, the proxy has a bucket too, ten times as large: who makes up addresses ends there.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from core.access.models import Throttle
from core.audit.refusals import soon
from core.metrics import THROTTLED
from core.problems import Problem

logger = logging.getLogger("core.access")

WINDOW = timedelta(minutes=5)
KEY_FAILURES = 7
PASSWORD_FAILURES = 7
ADDRESS_FAILURES = 25
PROXY_FACTOR = 10
_REMEMBERED = 10_000

_lock = threading.Lock()
#: Buckets known to be full, and until when by the monotonic clock: a flood costs no queries.
_full: dict[str, float] = {}


Bucket = tuple[str, int]  # its name, and how many failures it holds


def count_wrong_key(address: str, proxy: str = "") -> None:
    """Count a wrong key. Raises 429 from the eighth on; a right key is never asked about.

    While the database is away or busy nothing is waited for: the key is refused all the same.
    """
    buckets = [(f"key@{_network(address)}", KEY_FAILURES), *_of_proxy("key", proxy, KEY_FAILURES)]
    _refuse_if_full(buckets, "key")
    try:
        retry_after = soon(lambda: _count_each(buckets))
    except (DatabaseError, TimeoutError):
        logger.warning("a wrong key was not counted in time: the database failed or is busy")
    else:
        _refuse_for(retry_after, "key")


def count_password_try(username: str, address: str, proxy: str = "") -> None:
    """Count a try to log in, before the password is hashed. Raises 429 when there were too many."""
    buckets = [
        (_address_bucket(address), ADDRESS_FAILURES),
        (_user_bucket(username, address), PASSWORD_FAILURES),
        *_of_proxy("password", proxy, ADDRESS_FAILURES),
    ]
    _refuse_if_full(buckets, "password")
    _refuse_for(_count_each(buckets), "password")


def forgive_password_try(username: str, address: str, proxy: str = "") -> None:
    """The password was right: forget the user's failures at this address and give this try back to the address."""
    Throttle.objects.filter(bucket=_user_bucket(username, address)).delete()
    names = [_address_bucket(address), *(name for name, _ in _of_proxy("password", proxy, 0))]
    given_back = Throttle.objects.filter(bucket__in=names, failures__gt=0)
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


def _of_proxy(kind: str, proxy: str, limit: int) -> list[Bucket]:
    return [(f"{kind}@proxy:{_network(proxy)}", limit * PROXY_FACTOR)] if proxy else []


def _refuse_if_full(buckets: Sequence[Bucket], kind: str) -> None:
    """Without a query, for buckets that are known to be full."""
    _refuse_for(next(filter(None, (_full_for(name) for name, _ in buckets)), None), kind)


def _count_each(buckets: Sequence[Bucket]) -> int | None:
    """Count in one bucket after the other up to the first that is full; the seconds until that one is empty again."""
    return next(filter(None, (_count(name, limit) for name, limit in buckets)), None)


def _refuse_for(retry_after: int | None, kind: str) -> None:
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
