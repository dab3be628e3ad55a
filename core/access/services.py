"""Writes to keys and people: one function, one transaction, one audit row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.access import keys
from core.access.keys import KEYS
from core.access.models import ApiKey, Role, User
from core.access.principals import Principal, Right
from core.audit.services import record
from core.problems import Problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ @/-]{0,63}")
MAX_LIFETIME = timedelta(days=3660)


@transaction.atomic
def create_key(
    name: str, scopes: Iterable[str], expires_in: timedelta | None, actor: Principal
) -> tuple[ApiKey, str]:
    """A new key and its plaintext, which nobody can show again. Raises Problem 422."""
    name, wanted = name.strip(), list(dict.fromkeys(scopes))
    check_key(name, wanted, expires_in)
    key_id, secret = keys.generate()
    number, pepper = next(iter(keys.peppers().items()))
    now = timezone.now()
    key = ApiKey.objects.create(
        key_id=key_id,
        name=name,
        digest=keys.seal(secret, pepper),
        pepper=number,
        scopes=wanted,
        created_by=actor.name[:96],
        created_at=now,
        expires_at=now + expires_in if expires_in else None,
    )
    _forget_keys()
    detail = {"name": name, "scopes": wanted, "expires_at": key.expires_at}
    record("apikey.create", actor=actor, target=key_id, detail=detail)
    return key, f"sofiia_{key_id}_{secret}"


def check_key(name: str, scopes: list[str], expires_in: timedelta | None) -> None:
    """Raise Problem 422 with everything that is wrong with a key to be made."""
    errors = []
    if not _NAME.fullmatch(name):
        errors.append({"path": "name", "message": "1 to 64 letters, digits, spaces and . _ @ / -"})
    known = [right.value for right in Right]
    if not scopes or not set(scopes) <= set(known):
        errors.append({"path": "scopes", "message": f"one or more of {', '.join(known)}"})
    if expires_in is not None and not timedelta(0) < expires_in <= MAX_LIFETIME:
        errors.append({"path": "expires", "message": "more than nothing and at most ten years"})
    if errors:
        detail = f"{errors[0]['path']}: {errors[0]['message']}"
        raise Problem(422, "invalid", detail, errors=errors)


@transaction.atomic
def revoke_key(key_id: str, actor: Principal) -> ApiKey:
    """End a key now; in other processes within a second. Ending an ended key changes nothing. Raises Problem 404."""
    now = timezone.now()
    changed = ApiKey.objects.filter(key_id=key_id[:64], revoked_at=None).update(revoked_at=now)
    key = ApiKey.objects.filter(key_id=key_id[:64]).first()
    if key is None:
        raise Problem(404, "key_not_found", "There is no such key.")
    if changed:
        _forget_keys()
        record("apikey.revoke", actor=actor, target=key_id, detail={"name": key.name})
    return key


def _forget_keys() -> None:
    KEYS.forget()
    transaction.on_commit(KEYS.forget)


@transaction.atomic
def set_role(user_id: int, role: str, actor: Principal) -> User:
    """Give a person another role. Raises Problem 404, 409 `last_admin`, 422."""
    if role not in Role.values:
        message = f"one of {', '.join(Role.values)}"
        raise Problem(
            422, "invalid", f"role: {message}", errors=[{"path": "role", "message": message}]
        )
    user = _user(user_id)
    before, user.role = user.role, role
    guard_last_admin(user)
    user.save(update_fields=["role"])
    detail = {"from": before, "to": role}
    record("user.set_role", actor=actor, target=user.username, detail=detail)
    return user


@transaction.atomic
def set_active(user_id: int, is_active: bool, actor: Principal) -> User:
    """Let a person in or keep them out; open sessions end with it. Raises Problem 404, 409 `last_admin`."""
    user = _user(user_id)
    user.is_active = is_active
    guard_last_admin(user)
    user.save(update_fields=["is_active"])
    action = "user.activate" if is_active else "user.deactivate"
    record(action, actor=actor, target=user.username)
    return user


def rights_change(before: User | None, after: User) -> dict[str, list[Any]]:
    """`{"role": ["viewer", "admin"]}`: what of a person's rights is another than before; None before: a new person."""
    return {
        name: [getattr(before, name, None), getattr(after, name)]
        for name in ("role", "is_active")
        if getattr(before, name, None) != getattr(after, name)
    }


def _user(user_id: int) -> User:
    _lock_admins()
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise Problem(404, "user_not_found", "There is no such user.")
    return user


def guard_last_admin(user: User) -> None:
    """Raise Problem 409 when `user`, as it is about to be saved, would leave nobody who may administer.

    Inside the transaction that saves: the admins are locked, or two of them could demote each other at once.
    """
    if user.role == Role.ADMIN and user.is_active:
        return
    if _lock_admins() == [user.pk]:
        raise Problem(409, "last_admin", "This is the last active admin.")


def _lock_admins() -> list[int]:
    """The active admins, locked in one order and before any other row of a person."""
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True)
    return list(admins.order_by("pk").values_list("pk", flat=True))
