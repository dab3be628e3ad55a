"""The outer ASGI layer: what every request has to pass and every reply has to carry.

In: one known `Host`, no headers that could be mistaken for others, a request id, the client's real address, a bounded
body. Out: security headers, the request id and CORS on everything, errors and static files too.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

import orjson
from django.http.request import split_domain_port, validate_host

from core.metrics import HTTP_REQUESTS, HTTP_SECONDS
from core.problems import CONTENT_TYPE, Problem, send_problem
from sofiia_site.clients import Network, client_of
from sofiia_site.cors import CorsPolicy

logger = logging.getLogger("sofiia.edge")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: A caller's own id is kept when it is harmless in logs and headers.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
#: RFC 9110 token characters less the two that servers and frameworks fold into "-".
_HEADER_NAME = re.compile(rb"[a-z0-9!#$%&'*+^`|~-]+")
#: Written by this layer or by a server's own quirks; a client's copy is dropped.
_OURS = frozenset({b"daphne-root-path", b"x-request-id", b"x-sofiia-scheme"})
MAX_BODY = 1024 * 1024

_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Headers = [
    (b"content-security-policy", _CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
#: Names that come from outside only in harmless spellings: as metric labels they must stay few.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """Wraps the application; see the module's promise."""

    def __init__(
        self,
        app: App,
        *,
        allowed_hosts: Iterable[str],
        cors: CorsPolicy,
        trusted_proxies: Callable[[], Sequence[Network]],
    ) -> None:
        self.app = app
        self.allowed_hosts = list(allowed_hosts)
        self.cors = cors
        self.trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        scope = self._cleaned(scope)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def _cleaned(self, scope: Scope) -> Scope:
        """The scope without what a client must not say, and with what only we may."""
        given: Headers = [(name.lower(), value) for name, value in scope["headers"]]
        ids = [value for name, value in given if name == b"x-request-id"]
        keep = len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0])
        request_id = ids[0] if keep else secrets.token_hex(10).encode()
        headers = [
            (name, value)
            for name, value in given
            if name not in _OURS and _HEADER_NAME.fullmatch(name)
        ]
        scope = dict(scope)
        address, scheme = client_of(scope, self.trusted_proxies())
        headers += [(b"x-request-id", request_id), (b"x-sofiia-scheme", scheme.encode())]
        port = (scope.get("client") or ("", 0))[1]
        scope["sofiia_peer"] = (scope.get("client") or ("", 0))[0]
        scope.update(headers=headers, root_path="", client=(address, port), sofiia_client=address)
        scope["sofiia_request_id"] = request_id.decode()
        return scope

    def _host_is_known(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        domain, _port = split_domain_port(hosts[0].decode("latin-1"))
        return bool(domain) and validate_host(domain, self.allowed_hosts)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            await self.app(scope, receive, send)
        except Problem as problem:
            await _deny_handshake(scope, send, problem)

    def _check(self, scope: Scope) -> None:
        """Raise a Problem for a request that nobody behind this layer should see."""
        if not self._host_is_known(scope):
            raise Problem(400, "unknown_host", "This console does not answer to that host name.")
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            raise Problem(400, "bad_request", "The address holds a NUL character.")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Reply(send, scope, self.cors.headers_for(scope))
        try:
            self._check(scope)
            if self.cors.is_preflight(scope):
                await reply.send(
                    {
                        "type": "http.response.start",
                        "status": 204,
                        "headers": [(b"content-length", b"0")],
                    }
                )
                await reply.send({"type": "http.response.body", "body": b""})
                return
            await self.app(scope, _bounded(scope, receive), reply.send)
        except Problem as problem:
            await reply.problem(problem)
        except Exception:
            logger.exception("unhandled", extra={"request_id": scope["sofiia_request_id"]})
            await reply.problem(
                Problem(500, "internal_error", "Something failed here; the log has the details.")
            )
        finally:
            reply.count()


async def _deny_handshake(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer a handshake with an error: with headers and a body where the server can, else by a plain 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 4400})
        return
    body = orjson.dumps(problem.body(scope["sofiia_request_id"]))
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", scope["sofiia_request_id"].encode()),
        *SECURITY_HEADERS,
    ]
    await send(
        {"type": "websocket.http.response.start", "status": problem.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": body})


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """`receive` that refuses a body over MAX_BODY: before reading it where the length is announced."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value[:20]) > MAX_BODY):
            raise Problem(413, "body_too_large", f"A body may have at most {MAX_BODY} bytes here.")
    taken = 0

    async def counted() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise Problem(
                    413, "body_too_large", f"A body may have at most {MAX_BODY} bytes here."
                )
        return message

    return counted


class _Reply:
    """`send` that adds our headers to the first message and remembers what was answered."""

    def __init__(self, send: Send, scope: Scope, cors: Headers) -> None:
        self._send = send
        self._scope = scope
        self._cors = cors
        self._began = time.perf_counter()
        self.status = 0

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._headers(message.get("headers", []))}
        await self._send(message)

    def _headers(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        headers = [(name.lower(), value) for name, value in given if name.lower() != b"server"]
        present = {name for name, _ in headers}
        request_id = self._scope["sofiia_request_id"].encode()
        ours = [*SECURITY_HEADERS, (b"x-request-id", request_id), (b"cache-control", b"no-store")]
        if (b"x-sofiia-scheme", b"https") in self._scope["headers"]:
            ours.append(_HSTS)
        headers += [(name, value) for name, value in ours if name not in present]
        return headers + self._cors

    async def problem(self, problem: Problem) -> None:
        """Answer with the problem, unless an answer has begun: then the connection is cut by raising."""
        if self.status:
            raise ConnectionAbortedError("the answer had begun")
        await send_problem(self.send, problem, self._scope["sofiia_request_id"])

    def count(self) -> None:
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        HTTP_REQUESTS.labels(method, f"{self.status // 100}xx").inc()
        HTTP_SECONDS.observe(time.perf_counter() - self._began)
