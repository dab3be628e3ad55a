"""Requests as bytes. Nothing that a caller passes can end a line early or add a header of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from core.outbound.errors import RequestRefused
from core.outbound.urls import Target

Text = str | bytes
Headers = Iterable[tuple[Text, Text]] | Mapping[str, str]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")
#: Written by the engine: framing, the host that was checked, and an encoding whose size can be counted.
OWN_HEADERS = frozenset(
    b"host connection content-length transfer-encoding accept-encoding keep-alive proxy-connection te trailer "
    b"upgrade expect".split()
)


def encode_head(
    method: str, target: Target, headers: Headers, length: int | None, *, keep_alive: bool = False
) -> bytes:
    """Request line and headers. `length` is the body's, None for a chunked one; framing headers of the caller are dropped.

    Raises RequestRefused for what HTTP cannot carry.
    """
    lines = [b"%s %s HTTP/1.1" % (_method(method), target.request_path.encode("ascii"))]
    lines.append(b"host: " + target.authority.encode("ascii"))
    lines.append(b"accept-encoding: identity")
    if not keep_alive:
        lines.append(b"connection: close")
    if length is None:
        lines.append(b"transfer-encoding: chunked")
    elif length or method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        lines.append(b"content-length: %d" % length)
    has_agent = False
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key, line = _header(name, value)
        has_agent = has_agent or key == b"user-agent"
        if key not in OWN_HEADERS:
            lines.append(line)
    if not has_agent:
        lines.append(b"user-agent: sofiia-console")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _method(method: str) -> bytes:
    encoded = method.encode("ascii", "replace")
    if not _TOKEN.fullmatch(encoded) or encoded == b"CONNECT":
        raise RequestRefused("this is not a method that can be sent")
    return encoded


def _header(name: Text, value: Text) -> tuple[bytes, bytes]:
    """The lower-case name and the whole line of one header."""
    try:
        raw_name = name if isinstance(name, bytes) else name.encode("ascii")
        raw_value = value if isinstance(value, bytes) else value.encode("latin-1")
    except UnicodeEncodeError as exc:
        raise RequestRefused("a request header holds characters that HTTP cannot carry") from exc
    raw_value = raw_value.strip(b" \t")
    if not _TOKEN.fullmatch(raw_name) or not _VALUE.fullmatch(raw_value):
        raise RequestRefused("a request header holds characters that HTTP cannot carry")
    key = raw_name.lower()
    return key, b"%s: %s" % (key, raw_value)
