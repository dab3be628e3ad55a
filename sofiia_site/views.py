"""Plain answers outside the API: liveness, readiness, metrics, this console as a node, and the API's pages."""

from __future__ import annotations

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core import metrics
from core.access.authenticate import authenticate_request
from core.access.pages import page
from core.outbound.guard import get_guard
from core.problems import Problem
from sofiia_site import own_status
from sofiia_site.clients import is_within
from sofiia_site.readiness import readiness


def _json(value: object, status: int = 200) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS),
        status=status,
        content_type="application/json",
    )


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return _json({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every part is fine, else 503; the list either way."""
    checks = readiness()
    ok = all(check.ok for check in checks)
    body = {
        "status": "ready" if ok else "not ready",
        "checks": [{"name": check.name, **check.as_dict()} for check in checks],
    }
    return _json(body, 200 if ok else 503)


@require_safe
def monitor_status(request: HttpRequest) -> HttpResponse:
    """This console as a monitored node."""
    authenticate_request(request).require("read")
    return _json(own_status.monitor_status())


@require_safe
def metrics_text(request: HttpRequest) -> HttpResponse:
    """Prometheus text."""
    authenticate_request(request).require("read")
    if not is_within(request.META["REMOTE_ADDR"], get_guard().allowlist.ingress.metrics):
        raise Problem(
            403, "address_refused", "The network policy does not let this address read metrics."
        )
    return HttpResponse(generate_latest(metrics.REGISTRY), content_type=CONTENT_TYPE_LATEST)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The console lives under /ui/."""
    return redirect("/ui/")


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    from sofiia_site.api import api

    authenticate_request(request).require("read")
    return _json(api.get_openapi_schema())


@require_safe
@page()
def api_docs(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document, readable."""
    from sofiia_site.api import api

    return render(request, "docs.html", {"doc": api.get_openapi_schema()})
