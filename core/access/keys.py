"""Issued API keys: how they look, how they are checked, and the table of them that every process keeps.

A key is `sofiia_<id>_<secret>`: the prefix lets secret scanners find it, the id finds the row, and of the secret only
an HMAC-SHA256 is stored. Checking costs microseconds and no query.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from core.access.models import ApiKey
from core.access.principals import Right
from core.problems import database_unavailable

logger = logging.getLogger("core.access")

_FORM = re.compile(r"sofiia_([0-9a-f]{12})_([a-z2-7]{40})")
MAX_LENGTH = 4096
#: A key that is revoked in another process is dead here after at most this long.
MAX_AGE_S = 1.0
#: An unknown id makes the table be read again, so that a key made a moment ago elsewhere works; but not more often.
MISS_AGE_S = 0.05
TOUCH_EVERY_S = 60.0
#: After a failed look at the table nobody tries again for so long.
AWAY_S = 1.0


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One usable key, as the table holds it."""

    key_id: str
    name: str
    rights: frozenset[Right]
    expires_at: datetime | None
    pepper: int
    digest: str = field(repr=False)


def generate() -> tuple[str, str]:
    """A new (id, secret): 48 and 200 bits."""
    secret = base64.b32encode(secrets.token_bytes(25)).decode().lower()
    return secrets.token_hex(6), secret


def peppers() -> dict[int, bytes]:
    """Pepper by number, the current one first: one of `SECRET_KEY` and one of each of `SECRET_KEY_FALLBACKS`.

    The number is a fingerprint, so it stays right wherever the secret stands in the list.
    """
    made = {}
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        pepper = hmac.digest(str(secret).encode(), b"sofiia api key pepper", "sha256")
        made[int.from_bytes(hashlib.sha256(pepper).digest()[:4], "big") >> 1] = pepper
    return made


def seal(secret: str, pepper: bytes) -> str:
    """What is stored of a secret."""
    return hmac.new(pepper, secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class KeyTable:
    """The usable keys, read from the database at most once in `MAX_AGE_S` and only when one is presented."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, KnownKey] = {}
        self._loaded_at = float("-inf")
        self._generation = object()
        self._away_until = float("-inf")
        self._peppers: dict[int, bytes] = {}
        self._touched: dict[str, float] = {}

    def forget(self) -> None:
        """Read anew at the next use. Called at every change of a key, and again when it is committed."""
        self._generation = object()
        self._loaded_at = float("-inf")
        self._away_until = float("-inf")

    def answers_now(self, presented: str) -> bool:
        """Whether `find` needs no query for this key."""
        match = _FORM.fullmatch(presented)
        return match is None or (self._age() < MAX_AGE_S and match[1] in self._rows)

    def find(self, presented: str) -> KnownKey | None:
        """The key that was presented, when it is right, unexpired and not revoked."""
        match = _FORM.fullmatch(presented) if len(presented) <= MAX_LENGTH else None
        key_id, secret = match.groups() if match else ("", presented[:MAX_LENGTH])
        if match:
            self._refresh(MAX_AGE_S if key_id in self._rows else MISS_AGE_S)
        row = self._rows.get(key_id)
        pepper = self._peppers.get(row.pepper, b"") if row else b"none"
        matches = hmac.compare_digest(seal(secret, pepper), row.digest if row else "0" * 64)
        if not (row and pepper and matches):
            return None
        return None if row.expires_at and row.expires_at <= timezone.now() else row

    def current(self) -> dict[str, KnownKey]:
        """Every usable key by id, at most `MAX_AGE_S` old."""
        self._refresh(MAX_AGE_S)
        return self._rows

    def wants_touch(self, key_id: str) -> bool:
        """Whether the last use of this key should be written now; true at most once a minute a key."""
        now = time.monotonic()
        if now - self._touched.get(key_id, float("-inf")) < TOUCH_EVERY_S:
            return False
        self._touched[key_id] = now
        return True

    def _age(self) -> float:
        return time.monotonic() - self._loaded_at

    def _refresh(self, max_age_s: float) -> None:
        if self._age() < max_age_s:
            return
        with self._lock:
            if self._age() < max_age_s:
                return
            # The clock is read before the query: what changes meanwhile is found at the next turn.
            began, generation = time.monotonic(), self._generation
            if began < self._away_until:
                raise database_unavailable()
            try:
                keys = list(ApiKey.objects.usable(timezone.now()))
            except DatabaseError as exc:
                # Everybody who waits for the lock would otherwise wait for the pool too, one after the other.
                self._away_until = time.monotonic() + AWAY_S
                raise database_unavailable() from exc
            self._rows = {key.key_id: _known(key) for key in keys}
            self._peppers = peppers()
            self._loaded_at = began
            # A change that was committed during the query may be missing in its rows. Compared after they are dated:
            # `forget` takes no lock, and one of the two then always sees the other.
            if generation is not self._generation:
                self._loaded_at = float("-inf")


def _known(key: ApiKey) -> KnownKey:
    valid = {right.value for right in Right}
    rights = frozenset(Right(scope) for scope in key.scopes if scope in valid)
    return KnownKey(key.key_id, key.name, rights, key.expires_at, key.pepper, key.digest)


def touch(key_id: str) -> None:
    """Note that the key was used. A failure is logged: it must not take the request with it."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(seconds=TOUCH_EVERY_S))
    try:
        ApiKey.objects.filter(stale, key_id=key_id).update(last_used_at=now)
    except DatabaseError:
        logger.warning("the last use of a key was not written", extra={"key_id": key_id})


KEYS = KeyTable()
