"""Puts `request.principal` on every request, writes refusals into the audit, and drops cookies that are no sessions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from core.access import asked as asking
from core.access.authenticate import authenticate_request, identify_request, nobody
from core.access.principals import Principal
from core.audit.refusals import record_refusal
from core.problems import Problem

_REFUSALS = (401, 403, 429)


class SessionCookieMiddleware(MiddlewareMixin):
    """Drops a session cookie that cannot be a session's key, before SessionMiddleware asks the database for it."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if asking.session_key_of(request.COOKIES) is None:
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return self.get_response(request)


class PrincipalMiddleware(MiddlewareMixin):
    """`request.principal`, raising the Problem of wrong credentials when it is looked at. After AuthenticationMiddleware.

    Credentials are looked up before the view, so that async views find the answer without a query.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        request.principal = SimpleLazyObject(lambda: authenticate_request(request))  # type: ignore[attr-defined]
        if self.async_mode:
            return self._acall(request)
        if _has_credentials(request):
            _identify_quietly(request)
        response = cast(HttpResponseBase, self.get_response(request))
        if response.status_code in _REFUSALS:
            _audit(request, response)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        if _has_credentials(request):
            await sync_to_async(_identify_quietly)(request)
        response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
        if response.status_code in _REFUSALS:
            await sync_to_async(_audit)(request, response)
        return response


def _has_credentials(request: HttpRequest) -> bool:
    return asking.from_request(request).has_credentials


def _identify_quietly(request: HttpRequest) -> Principal | None:
    try:
        return identify_request(request)
    except Problem:
        return None  # kept on the request; raised to whoever looks at the principal


def _audit(request: HttpRequest, response: HttpResponseBase) -> None:
    """One row for a refusal of somebody who presented credentials or tried to write, unless a service wrote it."""
    asked = asking.from_request(request)
    if getattr(request, "refusal_is_audited", False):
        return
    if not asked.has_credentials and asked.is_safe:
        return
    actor = _identify_quietly(request) or nobody(asked)
    code = getattr(response, "problem_code", "")
    target = f"{asked.method} {_shown_path(request)}"
    record_refusal(actor, target, response.status_code, code, peer=asked.proxy)


def _shown_path(request: HttpRequest) -> str:
    """The path; where it carries a token, the route instead."""
    match = request.resolver_match
    if match is not None and "token" in match.kwargs:
        return f"/{match.route}"
    return request.path
