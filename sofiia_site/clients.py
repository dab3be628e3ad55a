"""Whose request it is when a proxy stands between: the rightmost address that no trusted proxy wrote."""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_of(scope: MutableMapping[str, Any], trusted: Sequence[Network]) -> tuple[str, str]:
    """(address, scheme) of the real client.

    `X-Forwarded-For` and `-Proto` count only where the socket's peer is a trusted proxy; then the chain is walked from
    the right, past every trusted proxy. An entry that is no address ends the walk at the last good one.
    """
    peer = (scope.get("client") or ("", 0))[0]
    scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
    if not is_within(peer, trusted):
        return peer, scheme
    forwarded = _values(scope, b"x-forwarded-for")
    protos = _values(scope, b"x-forwarded-proto")
    if protos and protos[-1] in ("http", "https"):
        scheme = protos[-1]
    address = peer
    for candidate in reversed(forwarded):
        try:
            address = str(ipaddress.ip_address(candidate))
        except ValueError:
            break
        if not is_within(address, trusted):
            break
    return address, scheme


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether the address lies in one of the networks; what is no address lies in none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks if network.version == parsed.version)


def _values(scope: MutableMapping[str, Any], name: bytes) -> list[str]:
    joined = ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return [part.strip() for part in joined.split(",") if part.strip()]
