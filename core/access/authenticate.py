"""Who is asking: an API key, a session, nobody in particular. The rules are section 3 of the contract.

`authenticate_request` and `authenticate_scope` are the same rules for Django requests and for raw ASGI scopes. A right
key costs no query; a session costs two. What is wrong is refused, even where nobody in particular would be let in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from core.access import asked as asking
from core.access import queries, throttle
from core.access.asked import Asked
from core.access.keys import KEYS, MAX_LENGTH, KnownKey, touch
from core.access.models import Role, User
from core.access.origins import (
    check_websocket_origin,
    comes_from_foreign_page,
    is_loopback_address,
    is_loopback_name,
    parse_origin,
)
from core.access.principals import ROLE_RIGHTS, Principal, Right, unauthenticated
from core.audit.refusals import record_refusal
from core.problems import Problem, database_unavailable

_READ_ONLY = frozenset({Right.READ})
_EVERYTHING = frozenset(Right)


def authenticate_request(request: HttpRequest) -> Principal:
    """Who asks by this request; sync.

    Raises Problem 400 (key in the address), 401 (wrong credentials), 403 (a session's write without the CSRF token), 429.
    """
    principal = identify_request(request)
    if principal.kind == "user":
        check_csrf(request)
    return principal


async def authenticate_scope(scope: Mapping[str, Any]) -> Principal:
    """Who asks by this ASGI `http` or `websocket` scope; raises as `authenticate_request`, and 403 `origin_refused`.

    Refusals are audited here, because no middleware stands around a raw ASGI application.
    """
    asked = asking.from_scope(scope)
    try:
        return await _identify_scope(scope, asked)
    except Problem as problem:
        await audit_refusal(asked, None, problem)
        raise


async def authorize_scope(scope: Mapping[str, Any], right: Right | str) -> Principal:
    """`authenticate_scope`, and the right must be there; a refusal of either kind is audited once."""
    principal = await authenticate_scope(scope)
    try:
        principal.require(right)
    except Problem as problem:
        await audit_refusal(asking.from_scope(scope), principal, problem)
        raise
    return principal


async def audit_refusal(asked: Asked, principal: Principal | None, problem: Problem) -> None:
    """One audit row for a refusal of somebody who presented credentials or tried to write."""
    if problem.status in (401, 403, 429) and (asked.has_credentials or not asked.is_safe):
        actor = principal or nobody(asked)
        target = f"{asked.method} {asked.path}"
        await sync_to_async(record_refusal)(
            actor, target, problem.status, problem.code, peer=asked.proxy
        )


def identify_request(request: HttpRequest) -> Principal:
    """`authenticate_request` without the CSRF check; what was found out is kept on the request."""
    found = getattr(request, "_sofiia_identity", None)
    if found is None:
        try:
            found = _identify(asking.from_request(request), request)
        except Problem as problem:
            found = problem
        request._sofiia_identity = found  # type: ignore[attr-defined]
    if isinstance(found, Problem):
        raise found
    return found


def check_csrf(request: HttpRequest) -> None:
    """Raise 403 for an unsafe request that lacks the token or comes from elsewhere; needs no query."""
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    if not getattr(request, "csrf_processing_done", False):
        check.process_request(request)
    if check.process_view(request, HttpResponse, (), {}) is not None:
        raise Problem(
            403,
            "csrf_failed",
            "The security token of the page is missing or old. Load the page again and repeat.",
        )


def nobody(asked: Asked) -> Principal:
    """Nobody in particular, without any right."""
    return Principal(
        kind="anonymous", name="anonymous", address=asked.peer, request_id=asked.request_id
    )


def _identify(asked: Asked, request: HttpRequest) -> Principal:
    asking.refuse_key_in_query(asked)
    presented = asking.presented_key(asked)
    if presented is not None:
        return _by_key(asked, presented)
    if asked.session_key is not None:
        user = _user_of(request, asked.session_key)
        if user is not None:
            return _person(asked, user, asked.session_key)
    return _anonymous(asked)


async def _identify_scope(scope: Mapping[str, Any], asked: Asked) -> Principal:
    asking.refuse_key_in_query(asked)
    presented = asking.presented_key(asked)
    if asked.is_websocket:
        check_websocket_origin(asked)
    if presented is None:
        if asked.session_key is None:
            return _anonymous(asked)
        return await sync_to_async(_by_session)(scope, asked)
    if is_bootstrap(presented):
        return _bootstrap(asked)
    if KEYS.answers_now(presented):
        known = KEYS.find(presented)
        if known is not None and not KEYS.wants_touch(known.key_id):
            return _program(asked, known)
    return await sync_to_async(_by_key)(asked, presented)


def _by_session(scope: Mapping[str, Any], asked: Asked) -> Principal:
    """The person behind a session cookie on a raw scope; a write needs the CSRF token in `X-CSRFToken`."""
    if asked.is_websocket:
        scope = {**scope, "method": "GET"}
    request = ASGIRequest(dict(scope), BytesIO())
    principal = _identify(asked, request)
    if principal.kind == "user":
        check_csrf(request)
    return principal


def is_bootstrap(presented: str) -> bool:
    """Whether this is `SOFIIA_CONSOLE_API_KEY`, compared in constant time."""
    ours = settings.ENVIRONMENT.console_api_key.encode()
    theirs = presented[:MAX_LENGTH].encode("latin-1", "replace")
    same = hmac.compare_digest(_digest(ours), _digest(theirs))
    return bool(ours) and same


def _digest(value: bytes) -> bytes:
    """Both sides at one length: compare_digest tells the length otherwise."""
    return hmac.digest(settings.SECRET_KEY.encode(), value, "sha256")


def _by_key(asked: Asked, presented: str) -> Principal:
    if is_bootstrap(presented):
        return _bootstrap(asked)
    known = KEYS.find(presented)
    if known is None:
        throttle.count_wrong_key(asked.peer, asked.proxy)
        raise unauthenticated("This key is not valid: unknown, expired or revoked.")
    if KEYS.wants_touch(known.key_id):
        touch(known.key_id)
    return _program(asked, known)


def _bootstrap(asked: Asked) -> Principal:
    return Principal(
        kind="bootstrap",
        name="key:console",
        rights=_EVERYTHING,
        role=Role.ADMIN,
        address=asked.peer,
        request_id=asked.request_id,
    )


def _program(asked: Asked, known: KnownKey) -> Principal:
    return Principal(
        kind="key",
        name=f"key:{known.name}",
        rights=known.rights,
        role=_role_of(known.rights),
        key_id=known.key_id,
        address=asked.peer,
        request_id=asked.request_id,
    )


def _role_of(rights: frozenset[Right]) -> str:
    """The role that a key stands for where a policy asks for one."""
    if Right.ADMIN in rights:
        return Role.ADMIN
    return Role.OPERATOR if rights & {Right.OPS, Right.PROXY} else Role.VIEWER


def _person(asked: Asked, user: User, session_key: str) -> Principal:
    return Principal(
        kind="user",
        name=user.username,
        rights=ROLE_RIGHTS.get(user.role, frozenset()),
        role=user.role,
        user_id=user.pk,
        session_key=session_key,
        address=asked.peer,
        request_id=asked.request_id,
    )


def _anonymous(asked: Asked) -> Principal:
    """Nobody in particular: nothing; in dev reads; on a dev machine without a key, from that machine, everything."""
    environment = settings.ENVIRONMENT
    if not environment.is_dev:
        return nobody(asked)
    rights = _EVERYTHING if _is_at_this_machine(asked) else _READ_ONLY
    return Principal(
        kind="anonymous",
        name="anonymous",
        rights=rights,
        role=Role.ADMIN if rights is _EVERYTHING else Role.VIEWER,
        address=asked.peer,
        request_id=asked.request_id,
    )


def _is_at_this_machine(asked: Asked) -> bool:
    if settings.ENVIRONMENT.console_api_key or not is_loopback_address(asked.peer):
        return False
    if any(name in asked.headers for name in asking.FORWARDING):
        return False  # somebody stands between, so the peer's address says nothing
    own = parse_origin(asked.own_origin)
    return own is not None and is_loopback_name(own[1]) and not comes_from_foreign_page(asked)


def _user_of(request: HttpRequest, session_key: str) -> User | None:
    """The active user of a living session whose password has not changed since."""
    if not hasattr(request, "session"):
        request.session = open_session(session_key)
    try:
        user = request.user if hasattr(request, "user") else get_user(request)
        return user if isinstance(user, User) and user.is_active else None
    except DatabaseError as exc:
        raise database_unavailable() from exc


def open_session(session_key: str) -> SessionBase:
    """The stored session of this key."""
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return store


def still_valid(principals: Sequence[Principal]) -> set[int]:
    """Indexes of principals whose key, session, user or role does not hold any more; sync, a few queries for all."""
    return queries.still_valid(principals)
