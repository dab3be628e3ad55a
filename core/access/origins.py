"""Which web pages may speak to the console, told by scheme, host and port."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

from core.access.asked import Asked
from core.problems import Problem

_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def parse_origin(text: str) -> Origin | None:
    """(scheme, host, port) of an origin or a URL; None for `null`, lists and anything else that is not one."""
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    host = parts.hostname
    if not host or not port or "," in text or parts.username is not None:
        return None
    return parts.scheme, host.rstrip("."), port


def is_loopback_name(host: str) -> bool:
    """`localhost` and the loopback addresses themselves; never a name that somebody's DNS could point there."""
    if host == "localhost":
        return True
    return is_loopback_address(host)


def is_loopback_address(address: str) -> bool:
    """Whether the address is the machine's own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def is_own(asked: Asked, text: str) -> bool:
    """Whether an `Origin` or `Referer` names this console as the caller reached it."""
    given = parse_origin(text)
    return given is not None and given == parse_origin(asked.own_origin)


def is_listed(text: str) -> bool:
    """Whether `CORS_ORIGINS` names the origin exactly; `*` lists nobody."""
    given = parse_origin(text)
    listed = {parse_origin(origin) for origin in settings.ENVIRONMENT.cors_origins}
    return given is not None and given in listed


def comes_from_foreign_page(asked: Asked) -> bool:
    """Whether a browser says that a page of another origin made it ask."""
    headers = asked.headers
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    pages = [headers[name] for name in ("origin", "referer") if headers.get(name)]
    return any(not is_own(asked, page) for page in pages)


def check_websocket_origin(asked: Asked) -> None:
    """Raise a 403 `origin_refused` for a handshake that a foreign page may have started.

    A session needs its own or a listed origin. In dev with `CORS_ORIGINS` empty a page on loopback may watch without
    credentials. Programs send no Origin and need none, unless they bring a session cookie: only browsers do that.
    """
    origin = asked.headers.get("origin")
    if origin is None:
        has_key = asked.headers.get("authorization") or asked.headers.get("x-api-key")
        if asked.session_key and not has_key:
            raise _refused("A session is accepted from a page of this console only.")
        return
    if is_own(asked, origin) or is_listed(origin):
        return
    given = parse_origin(origin)
    tolerant = settings.ENVIRONMENT.is_dev and not asked.session_key
    if tolerant and "*" in settings.ENVIRONMENT.cors_origins and given:
        return
    if tolerant and not settings.ENVIRONMENT.cors_origins and given and is_loopback_name(given[1]):
        return
    raise _refused("Pages of this origin may not open the event stream.")


def _refused(detail: str) -> Problem:
    return Problem(403, "origin_refused", detail)
