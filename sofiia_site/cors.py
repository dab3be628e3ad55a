"""Which web pages of other origins may read the API."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS = b"authorization, content-type, x-api-key, x-request-id, idempotency-key, if-match, last-event-id"
_EXPOSED = b"x-request-id, etag, retry-after"


class CorsPolicy:
    """`CORS_ORIGINS` empty: every origin without credentials in dev, none elsewhere; else exactly the listed ones."""

    def __init__(self, origins: Iterable[str], *, is_dev: bool) -> None:
        listed = {origin.rstrip("/").lower().encode() for origin in origins if origin != "*"}
        self._listed = frozenset(listed)
        self._any = is_dev and (not listed or "*" in origins)

    def headers_for(self, scope: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
        """The CORS headers of the reply to this request; empty where they do not apply."""
        if not scope["path"].startswith(("/api/", "/monitor/")):
            return []
        origin = _header(scope, b"origin")
        if origin and origin.lower() in self._listed:
            allow = [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
            ]
        elif origin and self._any:
            allow = [(b"access-control-allow-origin", b"*")]
        else:
            return [(b"vary", b"origin")] if self._listed else []
        allow += [(b"vary", b"origin"), (b"access-control-expose-headers", _EXPOSED)]
        if self.is_preflight(scope):
            allow += [
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", _HEADERS),
                (b"access-control-max-age", b"600"),
            ]
        return allow

    @staticmethod
    def is_preflight(scope: MutableMapping[str, Any]) -> bool:
        """An OPTIONS request that a browser sends before a cross-origin call."""
        return bool(
            scope["method"] == "OPTIONS"
            and scope["path"].startswith(("/api/", "/monitor/"))
            and _header(scope, b"origin")
            and _header(scope, b"access-control-request-method")
        )


def _header(scope: MutableMapping[str, Any], name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
