"""A small site that uses the access rules as the console does."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Schema
from pydantic import Field

from core import problems
from core.access.api import router as access_router
from core.access.auth import needs
from core.access.pages import page
from core.access.sessions import login, logout
from core.audit.api import router as audit_router
from core.problems import Problem

api = NinjaAPI(urls_namespace="access-tests", docs_url=None, openapi_url=None)
problems.install(api)
api.add_router("", access_router)
api.add_router("", audit_router)


class Item(Schema):
    """A body."""

    name: str
    sizes: list[int] = Field(default_factory=list)


@api.get("/things", auth=needs("read"))
def read_things(request: HttpRequest) -> dict[str, str]:
    return {"who": request.principal.name}


@api.post("/things", auth=needs("ops"))
def write_thing(request: HttpRequest, payload: Item) -> dict[str, str]:
    return {"who": request.principal.name}


@api.get("/async-things", auth=needs("read"))
async def read_async(request: HttpRequest) -> dict[str, str]:
    return {"who": request.principal.name}


@api.post("/settings", auth=needs("admin"))
def write_settings(request: HttpRequest) -> dict[str, str]:
    return {"who": request.principal.name}


@api.get("/number/{number}")
def number(request: HttpRequest, number: int, limit: int = 1) -> dict[str, int]:
    return {"number": number}


@api.get("/fails/{how}")
def fails(request: HttpRequest, how: str) -> None:
    errors = {
        "gone": Http404("no secret-path here"),
        "problem": Problem(409, "conflict", "It is in use.", headers={"Retry-After": "3"}),
        "crash": RuntimeError("secret-detail at /srv/secret-path"),
        **FORESEEN,
    }
    raise errors[how]


FORESEEN = {
    "size": RequestDataTooBig("secret"),
    "suspicion": SuspiciousOperation("secret"),
    "fields": TooManyFieldsSent("secret"),
    "data": DataError("secret"),
    "nul": ValueError("A string literal cannot contain NUL (0x00) characters."),
    "surrogate": UnicodeEncodeError("utf-8", "secret\ud800", 6, 7, "surrogates not allowed"),
}


@page()
def wall(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"wall for {request.principal.name}")


@page(admin=True)
def settings_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("settings")


def log_in(request: HttpRequest) -> HttpResponse:
    login(request, request.POST["username"], request.POST["password"])
    return HttpResponse("in")


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse("out")


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret-detail")


def foreseen(request: HttpRequest, how: str) -> HttpResponse:
    raise FORESEEN[how]


def read_body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a", b"b"]), status=502)


def plain_write(request: HttpRequest) -> HttpResponse:
    return HttpResponse("written")


@require_safe
def plain_read(request: HttpRequest) -> HttpResponse:
    return HttpResponse("read")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/crash", crash),
    path("api/stream", stream),
    path("api/body", csrf_exempt(read_body)),
    path("api/foreseen/<how>", foreseen),
    path("ui/foreseen/<how>", foreseen),
    *(
        path(name, plain_read)
        for name in ("healthz", "metrics", "monitor/status", "api/openapi.json")
    ),
    path("api/plain", plain_write),
    path("api/", api.urls),
    path("ui/", wall),
    path("ui/settings", settings_page),
    path("ui/login", log_in),
    path("ui/logout", log_out),
    path("ui/crash", crash),
    path("ui/welcome/<token>", plain_write),
]
handler400 = "core.problems.bad_request"
handler403 = "core.problems.forbidden"
handler404 = "core.problems.not_found"
handler500 = "core.problems.server_error"
