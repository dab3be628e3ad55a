"""Reads of keys, and whether those who were let in may stay."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core.access.keys import KEYS
from core.access.models import ApiKey, User
from core.access.principals import ROLE_RIGHTS, Principal
from core.problems import Problem


def keys_page(*, limit: int = 50, after: str | None = None) -> tuple[list[ApiKey], str | None]:
    """Keys, newest first, below the cursor `after`; and the next cursor."""
    found: QuerySet[ApiKey] = ApiKey.objects.order_by("-pk")
    if after is not None:
        if not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise Problem(
                422,
                "invalid",
                "after: not a cursor",
                errors=[{"path": "after", "message": "not a cursor"}],
            )
        found = found.filter(pk__lt=int(after))
    rows = list(found[: limit + 1])
    following = str(rows[limit - 1].pk) if len(rows) > limit else None
    return rows[:limit], following


def still_valid(principals: Sequence[Principal]) -> set[int]:
    """Indexes of principals whose key, session, user or role does not hold any more.

    At most three queries for any number of them: sessions, users, and the keys where their table is a second old.
    """
    people = [p for p in principals if p.kind == "user"]
    known = KEYS.current() if any(p.kind == "key" for p in principals) else {}
    sessions = _living_sessions(people)
    users = User.objects.in_bulk({p.user_id for p in people if p.user_id}) if people else {}
    gone = set()
    for index, principal in enumerate(principals):
        if principal.kind == "key":
            key = known.get(principal.key_id or "")
            expired = key is not None and key.expires_at and key.expires_at <= timezone.now()
            holds = key is not None and not expired and key.rights == principal.rights
        elif principal.kind == "user":
            user = users.get(principal.user_id or 0)
            holds = user is not None and _holds(principal, user, sessions)
        else:
            holds = principal.kind != "bootstrap" or bool(settings.ENVIRONMENT.console_api_key)
        if not holds:
            gone.add(index)
    return gone


def _living_sessions(people: Sequence[Principal]) -> dict[str, str]:
    """Session key to stored data."""
    names = {p.session_key for p in people if p.session_key}
    if not names:
        return {}
    living = Session.objects.filter(session_key__in=names, expire_date__gt=timezone.now())
    return dict(living.values_list("session_key", "session_data"))


def _holds(principal: Principal, user: User, sessions: dict[str, str]) -> bool:
    """Whether the session lives, is this user's, is younger than the password, and the role is the same."""
    data = sessions.get(principal.session_key or "")
    if data is None or not user.is_active or user.role != principal.role:
        return False
    if ROLE_RIGHTS.get(user.role) != principal.rights:
        return False
    kept = SessionStore().decode(data)
    if kept.get(SESSION_KEY) != str(user.pk):
        return False
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(kept.get(HASH_SESSION_KEY, ""), value) for value in hashes)
