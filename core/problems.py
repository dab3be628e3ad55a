"""Errors as RFC 9457 problem details everywhere under `/api/`, and as a page that says what to do everywhere else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import orjson
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.utils.deprecation import MiddlewareMixin
from django.utils.html import escape
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

logger = logging.getLogger("core.problems")

CONTENT_TYPE = "application/problem+json"
MAX_ERRORS = 50
FAILED_HERE = "Something failed here; the log has the details."
#: What a status means when nobody gave a better code.
_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "invalid",
    500: "internal_error",
}
#: Sentences for errors that Django made; its own texts may quote the request or the code.
_DETAILS = {
    400: "The request is malformed.",
    404: "There is nothing at this path.",
    405: "This path does not take that method.",
    413: "The body is larger than is taken here.",
    500: FAILED_HERE,
}
#: Only ever read. Told here, because the check of the CSRF token comes before a view can say so.
_READ_ONLY = frozenset(
    {"/healthz", "/readyz", "/metrics", "/monitor/status", "/api/docs", "/api/openapi.json"}
)
#: What the requests are that Django itself finds wrong.
_CALLERS_FAULT = (
    SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError, DataError, UnicodeEncodeError,
)  # fmt: skip
#: Headers of an error that its problem keeps.
_KEPT = ("Allow", "Retry-After", "WWW-Authenticate", "X-Request-ID")
#: Where ninja puts the parts of a request; the paths that callers see start below them.
_PLACES = frozenset({"body", "query", "path", "header", "cookie", "form", "file"})


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
            "title": phrase(self.status),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            result["errors"] = self.errors
        return result


def phrase(status: int) -> str:
    """The status in words; also for those that no registry knows."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem that a bare status stands for."""
    code = _CODES.get(status, phrase(status).lower().replace(" ", "_").replace("-", "_"))
    return Problem(status, code, _DETAILS.get(status, f"{phrase(status)}."), headers=headers)


def request_id(request: HttpRequest) -> str:
    """The id of this request, as the edge wrote it."""
    return request.headers.get("X-Request-ID", "")


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem as a Django response."""
    response = HttpResponse(
        orjson.dumps(problem.body(request_id(request)), default=str),
        status=problem.status,
        content_type=CONTENT_TYPE,
    )
    for name, value in problem.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    response.problem_code = problem.code  # type: ignore[attr-defined]  # the audit of refusals reads it
    return response


async def send_problem(
    send: Callable[[dict[str, Any]], Any], problem: Problem, request_id: str
) -> None:
    """The problem as a raw ASGI response."""
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"no-store")]
    headers += [(k.lower().encode(), v.encode()) for k, v in problem.headers.items()]
    body = orjson.dumps(problem.body(request_id), default=str)
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def is_api(request: HttpRequest) -> bool:
    """Whether errors of this request are for programs."""
    return request.path.startswith(("/api/", "/monitor/")) or request.path in ("/metrics", "/api")


class ProblemMiddleware(MiddlewareMixin):
    """Turns every error under `/api/` into a problem, and every Problem elsewhere into a page.

    Also: HEAD wherever the API takes GET, and 405 for methods that nothing here takes. Works under both handlers. A
    stream is passed on untouched.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.async_mode:
            return self._acall(request)
        refusal = _refused_method(request)
        if refusal is not None:
            return refusal
        is_head = _asks_for_head(request)
        response = _as_problem(request, cast(HttpResponseBase, self.get_response(request)))
        return _head_of(request, response) if is_head else response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        refusal = _refused_method(request)
        if refusal is not None:
            return refusal
        is_head = _asks_for_head(request)
        response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
        response = _as_problem(request, response)
        return _head_of(request, response) if is_head else response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Problems raised in plain views; anything unforeseen is logged and told in general words."""
        if isinstance(exception, Http404 | PermissionDenied):
            return None
        return _failed(request, exception)


def _refused_method(request: HttpRequest) -> HttpResponse | None:
    if request.method in ("TRACE", "CONNECT"):
        allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        return answer(request, of_status(405, {"Allow": allow}))
    if request.path in _READ_ONLY and request.method not in ("GET", "HEAD"):
        return problem_response(request, of_status(405, {"Allow": "GET, HEAD"}))
    return None


def _asks_for_head(request: HttpRequest) -> bool:
    """Whether this is a HEAD of the API, whose operations know GET only; they then get to see that."""
    if request.method != "HEAD" or not request.path.startswith("/api/"):
        return False
    request.method = "GET"
    return True


def _head_of(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The same answer without its body; the length that is told is still the body's."""
    request.method = "HEAD"
    if isinstance(response, HttpResponse):
        length = response.get("Content-Length", str(len(response.content)))
        response.content = b""
        response["Content-Length"] = length
    return response


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code < 400 or response.streaming or not is_api(request):
        return response
    if response.get("Content-Type", "").startswith(CONTENT_TYPE):
        return response
    headers = {name: response[name] for name in _KEPT if name in response}
    if "GET" in headers.get("Allow", "") and "HEAD" not in headers["Allow"]:
        headers["Allow"] += ", HEAD"
    return problem_response(request, of_status(response.status_code, headers))


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem in the form that fits the caller: JSON for programs, a page for people."""
    if is_api(request):
        return problem_response(request, problem)
    response = error_page(request, problem.status, problem.detail)
    for name, value in problem.headers.items():
        response[name] = value
    response.problem_code = problem.code  # type: ignore[attr-defined]
    return response


def database_unavailable() -> Problem:
    """503 while the database does not answer: our own trouble, and it passes."""
    detail = "The database does not answer just now."
    return Problem(503, "database_unavailable", detail, headers={"Retry-After": "5"})


def of_exception(exception: BaseException | None) -> Problem | None:
    """What an exception means to the caller; None for what is a fault of ours."""
    if isinstance(exception, Problem):
        return exception
    if isinstance(exception, RequestDataTooBig):
        return of_status(413)
    if isinstance(exception, _CALLERS_FAULT) or _is_about_nul(exception):
        logger.warning("refused as malformed: %s", type(exception).__name__)
        return of_status(400)
    if isinstance(exception, OperationalError | InterfaceError):
        logger.error("the database failed: %s", type(exception.__cause__ or exception).__name__)
        return database_unavailable()
    return None


def _is_about_nul(exception: BaseException | None) -> bool:
    """A driver's word for text that PostgreSQL cannot hold."""
    return isinstance(exception, ValueError) and "NUL (0x00)" in str(exception)


def _failed(request: HttpRequest, exception: Exception) -> HttpResponse:
    problem = of_exception(exception)
    if problem is None:
        logger.error("unhandled", exc_info=exception, extra={"request_id": request_id(request)})
        problem = Problem(500, "internal_error", FAILED_HERE)
    return answer(request, problem)


def install(api: NinjaAPI) -> None:
    """Register the handlers that turn what operations raise into problems."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        Problem: problem_response,
        ValidationError: _invalid,
        HttpError: _http_error,
        Http404: lambda request, _: problem_response(request, of_status(404)),
        PermissionDenied: lambda request, _: problem_response(request, of_status(403)),
        Exception: _failed,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _invalid(request: HttpRequest, exc: ValidationError) -> HttpResponse:
    errors = [
        {"path": field_path(error.get("loc", ())), "message": str(error.get("msg", "invalid"))}
        for error in exc.errors[:MAX_ERRORS]
    ]
    detail = f"{errors[0]['path']}: {errors[0]['message']}" if errors else "The input is invalid."
    return problem_response(request, Problem(422, "invalid", detail, errors=errors))


def field_path(loc: Sequence[str | int]) -> str:
    """`nodes[0].label` for ("body", "payload", "nodes", 0, "label"): the place and the parameter's name are ours."""
    parts = [part for part in loc if isinstance(part, int) or "[" not in part]  # unions name types
    if parts and parts[0] in _PLACES:
        in_body = parts[0] in ("body", "form", "file")
        parts = parts[2:] if in_body and len(parts) > 2 else parts[1:]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.lstrip(".")


def _http_error(request: HttpRequest, exc: HttpError) -> HttpResponse:
    """Ninja's own errors; its texts may quote the parser, so only the status is told."""
    problem = of_status(exc.status_code)
    if exc.status_code == 401:
        problem.headers["WWW-Authenticate"] = "Bearer"
    wait = getattr(exc, "wait", None)
    if wait is not None:
        problem.headers["Retry-After"] = str(wait)
    return problem_response(request, problem)


def error_page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """An error for people: what happened, what to try, and the request's id."""
    context = {
        "status": status,
        "phrase": phrase(status),
        "detail": detail,
        "request_id": request_id(request),
    }
    try:
        response = render(request, "error.html", context, status=status)
    except Exception as exc:
        # The last answer must not fail with the page: the shell asks who is there, and that may be what failed.
        if not isinstance(exc, TemplateDoesNotExist):
            logger.error("the error page failed", exc_info=exc)
        text = f"<!doctype html><title>{status}</title><h1>{phrase(status)}</h1><p>{escape(detail)}</p>"
        response = HttpResponse(text, status=status)
    response["Cache-Control"] = "no-store"
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if is_api(request):
        return problem_response(request, of_status(404))
    return error_page(request, 404, "There is no page at this address.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return answer(request, Problem(403, "forbidden", "You are not allowed to do this."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a host name that is not ours, too many fields, a body that is too large."""
    return answer(request, of_exception(exception) or of_status(400))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: what failed in a middleware, where nobody maps exceptions."""
    return answer(request, of_exception(sys.exception()) or of_status(500))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A write from a browser without the token that our own pages carry."""
    detail = "The form's security token is missing or old. Load the page again and repeat."
    return answer(request, Problem(403, "csrf_failed", detail))
