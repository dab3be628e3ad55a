"""What a request says about itself, whether it came as a Django request or as a raw ASGI scope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from core.access.principals import unauthenticated
from core.problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: A key never belongs into an address: addresses end up in logs, histories and referrers.
SECRET_PARAMETERS = frozenset({"api_key", "apikey", "api-key", "token", "key", "access_token"})
#: Any of these tells of somebody between the caller and us.
FORWARDING = (
    "x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
    "x-forwarded-server", "cf-connecting-ip", "true-client-ip", "x-client-ip",
)  # fmt: skip
_READ = (
    "authorization", "x-api-key", "cookie", "host", "origin", "referer", "sec-fetch-site", "x-request-id", "x-sofiia-scheme",
    *FORWARDING,
)  # fmt: skip
_SESSION_KEY = re.compile(r"[a-z0-9]{8,64}")
_META = {"HTTP_" + name.upper().replace("-", "_"): name for name in _READ}
_BY_BYTES = {name.encode(): name for name in _READ}


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that decide who asks. `headers` joins repeated ones with a comma, as Django does."""

    method: str
    path: str
    query: str
    scheme: str
    peer: str
    headers: Mapping[str, str]
    session_key: str | None
    request_id: str
    is_websocket: bool = False
    #: The socket's other end where that is not the caller but a proxy that we believe; else empty.
    proxy: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether the method promises to change nothing; a WebSocket handshake does."""
        return self.method in SAFE_METHODS

    @property
    def own_origin(self) -> str:
        """`scheme://host:port` under which the caller reached us."""
        return f"{self.scheme}://{self.headers.get('host', '')}"

    @property
    def has_credentials(self) -> bool:
        """Whether a key or a session was presented, right or wrong."""
        named = self.headers.get("authorization") or self.headers.get("x-api-key")
        return bool(named or self.session_key)


def from_request(request: HttpRequest) -> Asked:
    """Read a Django request."""
    headers = {name: request.META[key] for key, name in _META.items() if key in request.META}
    scope: Mapping[str, Any] = getattr(request, "scope", {})
    if "host" not in headers:
        headers["host"] = f"{request.META.get('SERVER_NAME')}:{request.META.get('SERVER_PORT')}"
    return Asked(
        method=request.method or "GET",
        path=request.path,
        query=request.META.get("QUERY_STRING", ""),
        scheme=_scheme(headers, request.scheme or "http"),
        peer=scope.get("sofiia_client") or request.META.get("REMOTE_ADDR") or "",
        headers=headers,
        session_key=session_key_of(request.COOKIES),
        request_id=headers.get("x-request-id", "")[:64],
        proxy=_proxy(scope),
    )


def from_scope(scope: Mapping[str, Any]) -> Asked:
    """Read an ASGI `http` or `websocket` scope."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = _BY_BYTES.get(raw.lower())
        if name is not None:
            text = value.decode("latin-1")
            joint = "; " if name == "cookie" else ","
            headers[name] = f"{headers[name]}{joint}{text}" if name in headers else text
    is_websocket = scope["type"] == "websocket"
    return Asked(
        method="GET" if is_websocket else scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        scheme=_scheme(headers, scope.get("scheme", "http")),
        peer=scope.get("sofiia_client") or (scope.get("client") or ("", 0))[0] or "",
        headers=headers,
        session_key=session_key_of(parse_cookie(headers.get("cookie", ""))),
        request_id=(scope.get("sofiia_request_id") or headers.get("x-request-id", ""))[:64],
        is_websocket=is_websocket,
        proxy=_proxy(scope),
    )


def session_key_of(cookies: Mapping[str, str]) -> str | None:
    """The session's key; None where there is none or it cannot be one: the database is not asked about such."""
    given = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return given if _SESSION_KEY.fullmatch(given) else None


def _proxy(scope: Mapping[str, Any]) -> str:
    peer: str = scope.get("sofiia_peer") or ""
    return peer if peer != scope.get("sofiia_client") else ""


def _scheme(headers: Mapping[str, str], given: str) -> str:
    """http or https. The edge drops a client's own `X-Sofiia-Scheme` and writes the true one."""
    said = headers.get("x-sofiia-scheme", given)
    return "https" if said in ("https", "wss") else "http"


def refuse_key_in_query(asked: Asked) -> None:
    """Raise a 400 when the address carries a key; the key itself is not looked at."""
    names = {name.strip().lower() for name, _ in parse_qsl(asked.query, keep_blank_values=True)}
    if names & SECRET_PARAMETERS:
        raise Problem(
            400,
            "key_in_query",
            "A key in the address is refused: send it as 'Authorization: Bearer <key>'.",
        )


def presented_key(asked: Asked) -> str | None:
    """The key that the request carries, or None. An empty value is none; two different ones are a 401."""
    authorization = asked.headers.get("authorization", "").strip()
    scheme, _, token = authorization.partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise unauthenticated("The Authorization header must read 'Bearer <key>'.")
    keys = {key for key in (token.strip(), asked.headers.get("x-api-key", "").strip()) if key}
    if len(keys) > 1:
        raise unauthenticated("Authorization and X-API-Key carry different keys.")
    return keys.pop() if keys else None
