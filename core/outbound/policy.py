"""`config/network_allowlist.yml`: who may be called, and who is believed when he calls."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, model_validator

from core.outbound.purpose import Purpose
from core.policies.base import Policy

Port = Annotated[int, Field(ge=1, le=65535)]
HostPattern = Annotated[
    str, Field(pattern=r"^(\*|(\*\.)?[a-z0-9]([a-z0-9.\-]*[a-z0-9])?)$", max_length=253)
]
#: Link-local (metadata services among them), "this host", multicast, and IPv6 forms that carry an IPv4 address inside.
ALWAYS_DENY = (
    "169.254.0.0/16",
    "fe80::/10",
    "0.0.0.0/8",
    "::/128",
    "224.0.0.0/3",
    "ff00::/8",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    "fec0::/10",
    "fd00:ec2::/32",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "::ffff:0:0/96",
)


class Rule(Policy):
    """One thing that is allowed: all of the named conditions must hold. A rule names hosts or cidrs or both."""

    name: str = Field(min_length=1, max_length=64, description="Shown where the rule is explained")
    purposes: tuple[Purpose, ...] = Field(alias="for", min_length=1, description="Who may use it")
    cidrs: tuple[IPvAnyNetwork, ...] | None = Field(None, description="Addresses; none = any")
    hosts: tuple[HostPattern, ...] | None = Field(
        None, description="Names in the URL: exact, `*.example.net`, or `*`; none = any"
    )
    schemes: tuple[Literal["http", "https"], ...] = Field(("http", "https"), min_length=1)
    ports: Literal["any"] | tuple[Port, ...] = Field("any", description="`any` or a list")

    @model_validator(mode="after")
    def _says_where(self) -> Rule:
        if self.cidrs is None and self.hosts is None:
            raise ValueError("a rule names cidrs, hosts or both")
        return self

    def covers_request(self, purpose: Purpose, scheme: str, host: str, port: int) -> bool:
        """Whether the rule could apply, as far as can be said before the name is resolved."""
        return (
            purpose in self.purposes
            and scheme in self.schemes
            and (self.ports == "any" or port in self.ports)
            and (self.hosts is None or any(_matches(p, host) for p in self.hosts))
        )


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("*", host)


class Dns(Policy):
    """How names are treated. Both are fixed; they stand in the file so that its readers know."""

    pin: Literal[True] = Field(True, description="Connect to the address that was checked")
    max_redirects: Literal[0] = Field(0, description="Redirects are never followed")


class Egress(Policy):
    """The way out."""

    default: Literal["deny"] = Field("deny", description="What no rule allows is refused")
    rules: tuple[Rule, ...] = Field((), description="What is allowed")
    never_ports_here: tuple[Literal["self", "postgres", "redis"] | Port, ...] = Field(
        ("self", "postgres", "redis"),
        description="Ports that are refused on this machine's own addresses, whatever a rule says",
    )
    always_deny: tuple[IPvAnyNetwork, ...] = Field(
        tuple(ip_network(text) for text in ALWAYS_DENY),
        description="Addresses that no rule can allow",
    )
    dns: Dns = Dns()


class Ingress(Policy):
    """The way in: whose forwarding headers count, and who may see which part."""

    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (ip_network("127.0.0.1/32"),), description="Whose X-Forwarded-For counts"
    )
    metrics: tuple[IPvAnyNetwork, ...] = Field(
        (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8")), description="Who may read /metrics"
    )
    admin: tuple[IPvAnyNetwork, ...] = Field(
        (ip_network("0.0.0.0/0"), ip_network("::/0")), description="Who may open /admin/"
    )


class NetworkAllowlist(Policy):
    """The whole file."""

    egress: Egress = Egress()
    ingress: Ingress = Ingress()
