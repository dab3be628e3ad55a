"""The judge of every connection out: the allowlist, applied to an address that is about to be connected to."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from django.conf import settings

from core.metrics import OUTBOUND_REFUSED
from core.outbound import urls
from core.outbound.errors import PolicyRefused, UrlRefused
from core.outbound.policy import NetworkAllowlist
from core.outbound.purpose import Purpose
from core.outbound.urls import Target
from core.policies.loader import load_policy

logger = logging.getLogger("core.outbound")

FILE_NAME = "network_allowlist.yml"
#: Ports of services that hold the console's own truth; the configured ones come on top.
STANDARD_PORTS = {"postgres": 5432, "redis": 6379}
_NAT64 = IPv6Network("64:ff9b::/96")
_CACHE_LIMIT = 65_536

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, for whoever makes it visible. `address` is empty where no name was resolved."""

    purpose: Purpose
    scheme: str
    host: str
    address: str
    port: int
    reason: str


class Guard:
    """Answers whether a connection may be made. Immutable: a changed policy is a new guard.

    `own_ports` maps the words of `never_ports_here` to the ports that they stand for.
    """

    def __init__(
        self, allowlist: NetworkAllowlist, own_ports: Mapping[str, frozenset[int]] | None = None
    ) -> None:
        self.allowlist = allowlist
        self._never_here = _ports_here(allowlist, own_ports or {})
        self._denied = allowlist.egress.always_deny
        self._allowed: dict[tuple[str, str, str, str, int], str] = {}

    def check_url(self, url: str, purpose: Purpose) -> Target:
        """The target of a URL that may be saved, or UrlRefused. Literals are judged; names only as far as ports go."""
        target = urls.parse(url)
        try:
            if target.literal is not None:
                self.check_address(
                    purpose, target.scheme, target.host, str(target.literal), target.port
                )
            else:
                self._check_name(purpose, target)
        except UrlRefused:
            raise
        except PolicyRefused as exc:
            raise UrlRefused(str(exc)) from exc
        return target

    def check_address(self, purpose: Purpose, scheme: str, host: str, ip: str, port: int) -> str:
        """The address to connect to (an IPv4-mapped one as IPv4), or PolicyRefused. Asked right before every connect."""
        key = (purpose, scheme, host, ip, port)
        allowed = self._allowed.get(key)
        if allowed is None:
            allowed = self._judge(purpose, scheme, host, ip, port)
            # Whether an address is our own may change; everything else is settled by the policy.
            if port not in self._never_here:
                if len(self._allowed) >= _CACHE_LIMIT:
                    self._allowed.clear()
                self._allowed[key] = allowed
        return allowed

    def _judge(self, purpose: Purpose, scheme: str, host: str, ip: str, port: int) -> str:
        refusal = (purpose, scheme, host, ip, port)
        try:
            address = _unmapped(ip_address(ip))
        except ValueError:
            _refuse(*refusal, "this is not an address that can be connected to")
        forms = (address, *_carried(address))
        if any(form in network for form in forms for network in self._denied):
            _refuse(*refusal, f"{address} is an address that is never connected to")
        if port in self._never_here and any(is_own_address(form) for form in forms):
            _refuse(*refusal, f"port {port} of this machine belongs to the console or its stores")
        if not self._has_rule(purpose, scheme, host, address, port):
            _refuse(*refusal, f"no rule of the network allowlist covers {address} port {port}")
        return str(address)

    def _has_rule(
        self, purpose: Purpose, scheme: str, host: str, address: Address, port: int
    ) -> bool:
        return any(
            rule.covers_request(purpose, scheme, host, port)
            and (rule.cidrs is None or any(address in cidr for cidr in rule.cidrs))
            for rule in self.allowlist.egress.rules
        )

    def _check_name(self, purpose: Purpose, target: Target) -> None:
        if target.host == "localhost" or target.host.endswith(".localhost"):
            self.check_address(purpose, target.scheme, target.host, "127.0.0.1", target.port)
            return
        rules = self.allowlist.egress.rules
        asked = (purpose, target.scheme, target.host, target.port)
        if not any(rule.covers_request(*asked) for rule in rules):
            reason = f"no rule of the network allowlist covers {target.scheme} port {target.port}"
            _refuse(purpose, target.scheme, target.host, "", target.port, reason)


def _ports_here(
    allowlist: NetworkAllowlist, own_ports: Mapping[str, frozenset[int]]
) -> frozenset[int]:
    ports: set[int] = set()
    for name in allowlist.egress.never_ports_here:
        if isinstance(name, int):
            ports.add(name)
            continue
        ports |= own_ports.get(name, frozenset())
        if name in STANDARD_PORTS:
            ports.add(STANDARD_PORTS[name])
    return frozenset(ports)


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for on some networks (6to4, Teredo, NAT64, compatible)."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.sixtofour, *(address.teredo or ())]
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        found.append(low)
    return tuple(form for form in found if form is not None)


def is_own_address(address: Address) -> bool:
    """Whether the address is this machine's: loopback, or one that a socket can be bound to at this moment."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


_listener: Callable[[Refusal], None] | None = None


def on_refusal(listener: Callable[[Refusal], None] | None) -> None:
    """Let `listener` hear of every refusal (None: nobody). It is called where the refusal happens and must not block."""
    global _listener
    _listener = listener


def _refuse(
    purpose: Purpose, scheme: str, host: str, address: str, port: int, reason: str
) -> NoReturn:
    OUTBOUND_REFUSED.labels(purpose=str(purpose)).inc()
    if _listener is not None:
        try:
            _listener(Refusal(purpose, scheme, host, address, port, reason))
        except Exception:  # the refusal stands, whatever happens to its telling
            logger.exception(
                "a refusal could not be reported", extra={"action": "outbound.refused"}
            )
    raise PolicyRefused(reason)


def load_allowlist() -> NetworkAllowlist:
    """The allowlist of `CONFIG_DIR`, or the shipped one where that directory has none."""
    path = Path(settings.CONFIG_DIR or settings.BASE_DIR / "config") / FILE_NAME
    if not path.is_file():
        path = Path(settings.BASE_DIR) / "config" / FILE_NAME
    return load_policy(path, NetworkAllowlist).value


def own_ports() -> dict[str, frozenset[int]]:
    """The ports behind `self`, `postgres` and `redis`, as the environment names them."""
    environment = settings.ENVIRONMENT
    ports = {
        "self": environment.port,
        "postgres": urlsplit(environment.database_url).port,
        "redis": urlsplit(environment.redis_url).port,
    }
    return {name: frozenset({port} if port else ()) for name, port in ports.items()}


_guard: Guard | None = None


def get_guard() -> Guard:
    """The guard of this process."""
    return _guard or reload()


def reload() -> Guard:
    """Read the file again and judge by it from now on. If it is faulty this raises and the old guard stays."""
    global _guard
    _guard = Guard(load_allowlist(), own_ports())
    return _guard


def check_url(url: str, purpose: Purpose) -> Target:
    """`Guard.check_url` of this process' guard."""
    return get_guard().check_url(url, purpose)
