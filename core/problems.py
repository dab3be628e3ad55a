"""Errors as RFC 9457 problem details, everywhere under `/api/`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

logger = logging.getLogger("core.problems")

CONTENT_TYPE = "application/problem+json"
#: What a status means when nobody gave a better code.
_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    500: "internal_error",
}


class Problem(Exception):
    """An answer that is an error; `detail` is safe to show.

    `code` is the machine's word (`node_not_found`), `errors` a list of `{"path", "message"}` for invalid input.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object of RFC 9457, with `code`, `request_id` and, for invalid input, `errors`."""
        result: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            result["errors"] = self.errors
        return result


def request_id(request: HttpRequest) -> str:
    """The id of this request, as the edge wrote it."""
    return request.headers.get("X-Request-ID", "")


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem as a Django response."""
    response = HttpResponse(
        orjson.dumps(problem.body(request_id(request))),
        status=problem.status,
        content_type=CONTENT_TYPE,
    )
    for name, value in problem.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


async def send_problem(
    send: Callable[[dict[str, Any]], Any], problem: Problem, request_id: str
) -> None:
    """The problem as a raw ASGI response."""
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"no-store")]
    headers += [(k.lower().encode(), v.encode()) for k, v in problem.headers.items()]
    body = orjson.dumps(problem.body(request_id))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def is_api(request: HttpRequest) -> bool:
    """Whether errors of this request are for programs."""
    return request.path.startswith(("/api/", "/monitor/")) or request.path in ("/metrics", "/api")


class ProblemMiddleware:
    """Turns every error under `/api/` into a problem, and every other one into a page that says what to do."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or getattr(response, "is_rendered_problem", False):
            return response
        if response.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        if is_api(request):
            return self._as_problem(request, response)
        return response

    def _as_problem(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        status = response.status_code
        phrase = HTTPStatus(status).phrase
        headers = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
        code = _CODES.get(status, phrase.lower().replace(" ", "_"))
        return problem_response(request, Problem(status, code, f"{phrase}.", headers=headers))

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """Problems raised in plain views; anything unforeseen is logged with the request's id and told in general words."""
        if isinstance(exception, Problem):
            if is_api(request):
                return problem_response(request, exception)
            return error_page(request, exception.status, exception.detail)
        if isinstance(exception, Http404 | PermissionDenied):
            return None
        logger.error("unhandled", exc_info=exception, extra={"request_id": request_id(request)})
        problem = Problem(500, "internal_error", "Something failed here; the log has the details.")
        if is_api(request):
            return problem_response(request, problem)
        return error_page(request, 500, problem.detail)


def error_page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """An error for people: what happened, what to try, and the request's id."""
    context = {
        "status": status,
        "phrase": HTTPStatus(status).phrase,
        "detail": detail,
        "request_id": request_id(request),
    }
    response = render(request, "error.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if is_api(request):
        return problem_response(request, Problem(404, "not_found", "There is nothing at this path."))
    return error_page(request, 404, "There is no page at this address.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    if is_api(request):
        return problem_response(request, Problem(403, "forbidden", "Not allowed."))
    return error_page(request, 403, "You are not allowed to do this.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if is_api(request):
        return problem_response(request, Problem(400, "bad_request", "The request is malformed."))
    return error_page(request, 400, "The request is malformed.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    detail = "Something failed here; the log has the details."
    if is_api(request):
        return problem_response(request, Problem(500, "internal_error", detail))
    return error_page(request, 500, detail)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A write from a browser without the token that our own pages carry."""
    detail = "The form's security token is missing or old. Load the page again and repeat."
    if is_api(request):
        return problem_response(request, Problem(403, "csrf_failed", detail))
    return error_page(request, 403, detail)
