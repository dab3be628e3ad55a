"""Strict reading of URLs: what browsers, resolvers and libraries read differently is refused, not interpreted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

from core.outbound.errors import UrlRefused

__all__ = ["Target", "UrlRefused", "parse"]

MAX_LENGTH = 2048
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?]*)(?P<rest>.*)")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?P<port>:.*)?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_REST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]|]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that can be read in one way only. `host` is lower case and without brackets.

    `path` is as given: empty, or beginning with "/", and a prefix where the URL is a base; `query` comes without "?".
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    query: str
    literal: IPv4Address | IPv6Address | None

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a credential is bound to."""
        return f"{self.scheme}://{self.authority}"

    @property
    def request_path(self) -> str:
        """What stands in the request line."""
        return f"{self.path or '/'}?{self.query}" if self.query else self.path or "/"


@lru_cache(maxsize=16_384)
def parse(url: str) -> Target:
    """The target that `url` names, or UrlRefused with a message that is safe to show."""
    _refuse_characters(url)
    match = _URL.fullmatch(url)
    if match is None:
        raise UrlRefused("write the whole address, beginning with http:// or https://")
    scheme = match["scheme"].lower()
    if scheme not in ("http", "https"):
        raise UrlRefused("only http:// and https:// addresses can be used")
    host, port = _split_authority(match["authority"])
    literal = _read_host(host)
    path, _, query = match["rest"].partition("?")
    if not _REST.fullmatch(match["rest"]):
        raise UrlRefused("the path holds characters that must be percent-encoded")
    return Target(
        scheme=scheme,  # type: ignore[arg-type]  # narrowed above
        host=host if literal is None else str(literal),
        port=_PORTS[scheme] if port is None else port,
        path=path,
        query=query,
        literal=literal,
    )


def _refuse_characters(url: str) -> None:
    if len(url) > MAX_LENGTH:
        raise UrlRefused(f"an address has at most {MAX_LENGTH} characters")
    if not url.isascii():
        raise UrlRefused("write international names in their ASCII form (xn--…)")
    if any(char <= " " or char == "\x7f" for char in url):
        raise UrlRefused("an address holds no spaces and no control characters")
    if "\\" in url:
        raise UrlRefused("write / instead of \\")
    if "#" in url:
        raise UrlRefused("leave out the part from # on")


def _split_authority(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise UrlRefused("leave out the user name and password before @; keys belong into auth_ref")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise UrlRefused("write an IPv6 address in brackets: http://[fd00::1]:8000")
    return match["host"].lower(), _read_port(match["port"])


def _read_port(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text[1:]
    if not re.fullmatch(r"[1-9][0-9]{0,4}", digits) or int(digits) > 65535:
        raise UrlRefused("write the port as a number from 1 to 65535, or leave out the colon")
    return int(digits)


def _read_host(host: str) -> IPv4Address | IPv6Address | None:
    """The address that the host is, None for a name."""
    if not host:
        raise UrlRefused("the host name is missing")
    if host.startswith("["):
        return _read_ipv6(host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _read_ipv4(host)
    if host.endswith("."):
        raise UrlRefused("leave out the dot at the end of the host name")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("a host name is made of letters, digits, hyphens and dots")
    return None


def _read_ipv4(host: str) -> IPv4Address:
    try:
        return IPv4Address(host)
    except AddressValueError as exc:
        raise UrlRefused("write an IPv4 address as four decimal numbers: 10.0.0.5") from exc


def _read_ipv6(text: str) -> IPv6Address:
    if "%" in text:
        raise UrlRefused("an IPv6 address with a zone id cannot be used")
    try:
        address = IPv6Address(text)
    except AddressValueError as exc:
        raise UrlRefused("write an IPv6 address in brackets: http://[fd00::1]:8000") from exc
    if address.ipv4_mapped is not None:
        raise UrlRefused("write the IPv4 address itself: 10.0.0.5 instead of ::ffff:10.0.0.5")
    return address
