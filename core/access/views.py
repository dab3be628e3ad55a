"""Pages of access: logging in and out, the first login, settings with one's own account and the API keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_texts
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import queries, services, sessions
from core.access.forms import (
    LIFETIMES,
    SCOPES,
    KeyForm,
    LoginForm,
    PasswordForm,
    WelcomeForm,
    errors_of,
)
from core.access.models import ApiKey, Role, User
from core.access.pages import page
from core.access.principals import Principal, Right
from core.problems import Problem

_KEYS_SHOWN = 200
#: Carries a new key from the form to the page that shows it, and back to its owner only: the console keeps no copy.
_NEW_KEY = "sofiia_new_key"
_NEW_KEY_PATH = "/ui/settings"
_NEW_KEY_S = 60


@never_cache
@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """The login page; afterwards on to `next`, when that is a page of this console."""
    target = sessions.safe_next(request.POST.get("next") or request.GET.get("next"))
    if request.method != "POST":
        if request.user.is_authenticated and not _is_beyond(request, target):
            return HttpResponseRedirect(target)
        return render(request, "login.html", _login_context(target, request))
    form = LoginForm(request.POST)
    try:
        if not form.is_valid():
            raise Problem(422, "invalid", "Both the user name and the password are needed.")
        sessions.login(request, form.cleaned_data["username"], form.cleaned_data["password"])
    except Problem as problem:
        context = _login_context(target, request) | {"error": problem.detail}
        return _refused(request, "login.html", context, problem)
    return HttpResponseRedirect(target)


def _is_beyond(request: HttpRequest, target: str) -> bool:
    """Whether the administration sent somebody here whose role does not reach it; sending them back would be a circle."""
    return target.startswith("/admin") and not getattr(request.user, "is_staff", False)


def _login_context(target: str, request: HttpRequest) -> dict[str, Any]:
    return {
        "next": target,
        "username": request.POST.get("username", "")[:64],
        "error": "",
        "is_out": "out" in request.GET,
        "is_beyond": request.user.is_authenticated and _is_beyond(request, target),
        "is_open": settings.ENVIRONMENT.is_dev,
        "has_admin": _has_admin(),
    }


def _has_admin() -> bool:
    """Whether somebody can log in as an admin; the page also answers while the database does not."""
    try:
        admins = list(User.objects.filter(role=Role.ADMIN, is_active=True)[:_KEYS_SHOWN])
    except DatabaseError:
        return True
    return any(admin.has_usable_password() for admin in admins)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    sessions.logout(request)
    return redirect("/ui/login?out=1")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """The one-time link of the first start: choose the admin's name and password."""
    if not sessions.is_redeemable(token):
        raise Problem(410, "link_used", _what_to_do_instead())
    context: dict[str, Any] = {
        "username": request.POST.get("username", "admin")[:64],
        "errors": {},
        "rules": password_validators_help_texts(),
    }
    if request.method != "POST":
        return render(request, "welcome.html", context)
    form = WelcomeForm(request.POST)
    if not form.is_valid():
        return render(request, "welcome.html", context | {"errors": errors_of(form)}, status=422)
    data = form.cleaned_data
    try:
        sessions.redeem(token, data["username"], data["password"], request)
        sessions.login(request, data["username"], data["password"])
    except Problem as problem:
        context |= {"errors": _sentences(problem)}
        return _refused(request, "welcome.html", context, problem)
    return redirect("/ui/")


def _what_to_do_instead() -> str:
    if _has_admin():
        return "There is an admin already: log in with the name and the password that were chosen."
    return (
        "There is no admin yet: start the console again, and it prints a new link in its terminal."
    )


@require_safe
@page()
def settings_page(request: HttpRequest) -> HttpResponse:
    """This console, the connection, one's account, API keys, the theme."""
    done = {"password": "Your password is changed; your other sessions have ended."}
    notice = done.get(request.GET.get("done", ""), "")
    response = _settings(request, created=_created_key(request), notice=notice)
    if _NEW_KEY in request.COOKIES:
        response.delete_cookie(_NEW_KEY, path=_NEW_KEY_PATH, samesite="Strict")
    return response


def _created_key(request: HttpRequest) -> dict[str, str] | None:
    """The key that was made a moment ago, to be shown this once."""
    secret = request.COOKIES.get(_NEW_KEY, "")
    key_id = secret.split("_")[1] if secret.count("_") == 2 else ""
    name = ApiKey.objects.filter(key_id=key_id).values_list("name", flat=True).first()
    return {"name": name, "secret": secret} if name else None


@sensitive_post_parameters()
@require_POST
@page()
def change_password(request: HttpRequest) -> HttpResponse:
    """A new password for whoever is logged in."""
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _settings(request, password_errors=errors_of(form), status=422)
    try:
        sessions.change_password(request, form.cleaned_data["old"], form.cleaned_data["new"])
    except Problem as problem:
        errors = _sentences(problem)
        if problem.status == 401:
            errors = {"old": "The present password is wrong."}
        field = {401: "old", 422: "new"}.get(problem.status, "old")
        renamed = {field: "; ".join(dict.fromkeys(errors.values()))}
        return _settings(request, problem=problem, password_errors=renamed)
    return redirect("/ui/settings?done=password")


@require_POST
@page(admin=True)
def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key; the page that follows shows it, once. Loading that page again shows no key and makes none."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _settings(request, key_form=form, key_errors=errors_of(form), status=422)
    data = form.cleaned_data
    try:
        _key, secret = services.create_key(
            data["name"], data["scopes"], form.lifetime, _principal(request)
        )
    except Problem as problem:
        return _settings(request, problem=problem, key_form=form, key_errors=_sentences(problem))
    response = redirect("/ui/settings#api-keys")
    response.set_cookie(
        _NEW_KEY,
        secret,
        max_age=_NEW_KEY_S,
        path=_NEW_KEY_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


@require_POST
@page(admin=True)
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """End a key."""
    services.revoke_key(key_id, _principal(request))
    return redirect("/ui/settings#api-keys")


def _settings(
    request: HttpRequest,
    *,
    problem: Problem | None = None,
    status: int = 200,
    key_form: KeyForm | None = None,
    **more: Any,
) -> HttpResponse:
    principal = _principal(request)
    manages_keys = principal.has(Right.ADMIN) and principal.kind != "anonymous"
    keys = queries.keys_page(limit=_KEYS_SHOWN)[0] if manages_keys else []
    context: dict[str, Any] = {
        "principal": principal,
        "console_url": request.build_absolute_uri("/").rstrip("/"),
        "environment": settings.ENVIRONMENT,
        "manages_keys": manages_keys,
        "keys": keys,
        "key_now": timezone.now(),
        "scopes": SCOPES,
        "lifetimes": LIFETIMES,
        "chosen_name": key_form.data.get("name", "")[:64] if key_form else "",
        "chosen_scopes": key_form.data.getlist("scopes") if key_form else ["read"],  # type: ignore[attr-defined]
        "created": None,
        "notice": "",
        "password_errors": {},
        "key_errors": {},
        "rules": password_validators_help_texts(),
    }
    if problem is not None:
        return _refused(request, "settings.html", context | more, problem)
    response = render(request, "settings.html", context | more, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _refused(
    request: HttpRequest, template: str, context: dict[str, Any], problem: Problem
) -> HttpResponse:
    """The form again with what was wrong, under the problem's own status and headers."""
    response = render(request, template, context, status=problem.status)
    for name, value in problem.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


def _sentences(problem: Problem) -> dict[str, str]:
    """Errors by field; what belongs to none is under the empty name."""
    if not problem.errors:
        return {"": problem.detail}
    found: dict[str, str] = {}
    for error in problem.errors:
        path, message = str(error["path"]), str(error["message"])
        found[path] = f"{found[path]} {message}" if path in found else message
    return found


def _principal(request: HttpRequest) -> Principal:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal
