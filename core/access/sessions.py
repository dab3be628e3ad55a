"""Logging in and out, passwords, and the link with which the first admin is made."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any

from django.contrib import auth
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from core.access import asked as asking
from core.access import throttle
from core.access.authenticate import nobody
from core.access.models import OneTimeLogin, Role, User
from core.access.principals import Principal, unauthenticated
from core.audit.refusals import record_refusal
from core.audit.services import record
from core.problems import Problem

FIRST_LOGIN_LIFETIME = timedelta(hours=24)
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
MAX_PASSWORD = 1024


def login(request: HttpRequest, username: str, password: str) -> User:
    """Log in and give the session a new id. Raises Problem 401 (the same for every reason) or 429; audited either way."""
    actor, proxy = _at(request), asking.from_request(request).proxy
    try:
        user = _checked(actor, username, password, proxy)
    except Problem as problem:
        request.refusal_is_audited = True  # type: ignore[attr-defined]
        # The name is not written: people type their password into the wrong field.
        known = username if User.objects.filter(username=_usable(username)).exists() else "unknown"
        record_refusal(
            actor, known, problem.status, problem.code, action="session.login", peer=proxy
        )
        raise
    with transaction.atomic():
        auth.login(request, user)
        record("session.login", actor=_as_user(actor, user), target=user.username)
    _forget_identity(request)
    return user


def _checked(actor: Principal, username: str, password: str, proxy: str) -> User:
    """The active user with this password. The limiter comes before the hash, which costs 100 ms of a core."""
    throttle.count_password_try(username, actor.address, proxy)
    user = auth.authenticate(None, username=_usable(username), password=password[:MAX_PASSWORD])
    if not isinstance(user, User):
        raise unauthenticated("The user name or the password is wrong.")
    throttle.forgive_password_try(username, actor.address, proxy)
    return user


def _usable(username: str) -> str:
    """The name as the database may be asked for it; a NUL makes PostgreSQL fail."""
    return username if _USERNAME.fullmatch(username) else ""


def logout(request: HttpRequest) -> None:
    """End the session, in the database too."""
    actor = _at(request)
    user = request.user
    with transaction.atomic():
        auth.logout(request)
        if isinstance(user, User):
            record("session.logout", actor=_as_user(actor, user), target=user.username)
    _forget_identity(request)


def change_password(request: HttpRequest, old: str, new: str) -> None:
    """Change one's own password; this session goes on under a new id, every other one ends. Raises Problem 401, 422, 429."""
    user = request.user
    if not isinstance(user, User):
        raise unauthenticated()
    actor = _as_user(_at(request), user)
    _checked(actor, user.username, old, asking.from_request(request).proxy)
    check_password_rules(new, user)
    user.set_password(new)  # before the transaction: nobody should wait for a hash
    with transaction.atomic():
        user.save(update_fields=["password"])
        auth.update_session_auth_hash(request, user)
        record("user.set_password", actor=actor, target=user.username)
    _forget_identity(request)


def set_password(user: User, new: str, actor: Principal) -> None:
    """Give somebody a new password; all their sessions end. Raises Problem 422."""
    check_password_rules(new, user)
    user.set_password(new)
    with transaction.atomic():
        user.save(update_fields=["password"])
        record("user.set_password", actor=actor, target=user.username)


def check_password_rules(password: str, user: User) -> None:
    """Raise Problem 422 with a sentence for each rule that the password breaks."""
    try:
        if len(password) > MAX_PASSWORD:
            raise ValidationError(f"At most {MAX_PASSWORD} characters.")
        validate_password(password, user)
    except ValidationError as exc:
        raise _invalid("password", *exc.messages) from exc


def issue_first_login() -> str | None:
    """A token for `/ui/welcome/<token>`, good once and for 24 h; None when an active admin can log in already.

    Earlier tokens that nobody used end with it.
    """
    if _has_admin():
        return None
    token = secrets.token_urlsafe(24)
    with transaction.atomic():
        OneTimeLogin.objects.filter(used_at=None).delete()
        OneTimeLogin.objects.create(
            digest=_digest(token), expires_at=timezone.now() + FIRST_LOGIN_LIFETIME
        )
    return token


def is_redeemable(token: str) -> bool:
    """Whether the link would work now. Asking changes nothing, so a page may be loaded as often as one likes."""
    return _open_logins(token).exists() and not _has_admin()


def redeem(token: str, username: str, password: str, request: HttpRequest | None = None) -> User:
    """Use the link: the user of this name becomes an admin with this password. Raises Problem 410, 422.

    A name that belongs to somebody who can log in is refused. Nothing is used up by a refusal.
    """
    if not is_redeemable(token):
        raise _gone()
    if not _USERNAME.fullmatch(username):
        raise _invalid("username", "1 to 64 letters, digits and . _ @ + -")
    user = User.objects.filter(username=username).first() or User(username=username)
    if user.pk and user.is_active and user.has_usable_password():
        raise _invalid("username", "Somebody has this name already.")
    check_password_rules(password, user)
    user.set_password(password)
    try:
        return _redeem(token, user, _at(request))
    except IntegrityError as exc:  # somebody took the name, or the link, in this moment
        raise _gone() from exc


@transaction.atomic
def _redeem(token: str, user: User, actor: Principal) -> User:
    if _open_logins(token).update(used_at=timezone.now()) != 1 or _has_admin():
        raise _gone()
    user.role, user.is_active = Role.ADMIN, True
    user.save()
    OneTimeLogin.objects.filter(digest=_digest(token)).update(user=user)
    record("user.first_admin", actor=_as_user(actor, user), target=user.username)
    return user


def safe_next(target: str | None, default: str = "/ui/") -> str:
    """Where to go after the login: a path of this console, whatever the address said."""
    text = target or ""
    is_path = re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}", text) is not None
    return text if is_path and url_has_allowed_host_and_scheme(text, None) else default


def _has_admin() -> bool:
    admins = User.objects.filter(role=Role.ADMIN, is_active=True)
    return any(admin.has_usable_password() for admin in admins)


def _open_logins(token: str) -> Any:
    return OneTimeLogin.objects.filter(
        digest=_digest(token), used_at=None, expires_at__gt=timezone.now()
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _at(request: HttpRequest | None) -> Principal:
    if request is None:
        return Principal(kind="cli", name="cli")
    return nobody(asking.from_request(request))


def _as_user(actor: Principal, user: User) -> Principal:
    return Principal(
        kind="user",
        name=user.username,
        role=user.role,
        user_id=user.pk,
        address=actor.address,
        request_id=actor.request_id,
    )


def _forget_identity(request: HttpRequest) -> None:
    """Who asks is somebody else now; `request.principal` finds out anew."""
    if hasattr(request, "_sofiia_identity"):
        del request._sofiia_identity


def _invalid(path: str, *messages: str) -> Problem:
    errors = [{"path": path, "message": message} for message in messages]
    return Problem(422, "invalid", f"{path}: {messages[0]}", errors=errors)


def _gone() -> Problem:
    return Problem(
        410,
        "link_used",
        "This link was used already or is too old. Start the console again for a new one.",
    )
