"""`@page()` on an HTML view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from core.access.authenticate import authenticate_request
from core.access.principals import Principal, Right, unauthenticated
from core.problems import Problem

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(right: Right | str = Right.READ, admin: bool = False) -> Callable[[View[P]], View[P]]:
    """Let a view be seen by whoever holds the right; `admin`: by admins that are logged in, in dev too.

    Nobody in particular is sent to the login page and back; somebody without the right gets the 403 page.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                principal = _admitted(request, right, admin)
            except Problem as problem:
                if problem.status == 401 and _is_navigation(request):
                    return HttpResponseRedirect(_login_url(request))
                raise
            request.principal = principal  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _admitted(request: HttpRequest, right: Right | str, admin: bool) -> Principal:
    principal = authenticate_request(request)
    if admin and principal.kind == "anonymous":
        raise unauthenticated()
    principal.require(Right.ADMIN if admin else right)
    return principal


def _is_navigation(request: HttpRequest) -> bool:
    """Whether a person waits for a page; a script that fetches a part gets the plain 401."""
    if request.method not in ("GET", "HEAD"):
        return False
    return request.headers.get("Sec-Fetch-Dest", "document") == "document"


def _login_url(request: HttpRequest) -> str:
    return f"{settings.LOGIN_URL}?next={quote(request.get_full_path(), safe='/')}"
