"""What a node is set to, field by field, and where each value comes from.

Order of precedence: the environment (`NODES_<ID>_<FIELD>`), an operator's override, the YAML registry, defaults. Among the
defaults the registry file's own `defaults` block outranks the variables NODES_POLL_INTERVAL_SEC, NODES_PROBE_TIMEOUT_SEC and
NODES_OFFLINE_AFTER: the file speaks of this fleet, the variables of this installation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, cast

from django.conf import settings

from core.outbound import urls
from nodes import file_defaults
from nodes.models import Node
from nodes.policy import SELF, variable_part

__all__ = [
    "FIELDS", "SELF", "URL_FIELDS", "EffectiveNode", "Sourced", "effective", "environment_overrides",
    "environment_values", "variable_part",
]  # fmt: skip

Source = Literal["default", "yaml", "admin", "env"]

#: The fields that the environment may override, by the end of the variable's name.
ENVIRONMENT_FIELDS = {
    "ROUTER_URL": "router_url",
    "GATEWAY_URL": "gateway_url",
    "MONITOR_URL": "monitor_url",
    "LABEL": "label",
}
URL_FIELDS = ("router_url", "gateway_url", "monitor_url")
MAX_LABEL = 200

#: What a field is when nobody says anything. The three of the environment and `stale_after` are added in `_defaults`.
_BUILT_IN: dict[str, Any] = {
    "label": "",
    "role": "",
    "env": "",
    "router_url": None,
    "gateway_url": None,
    "monitor_url": None,
    "auth_ref": None,
    "depends_on": [],
    "tags": [],
    "labels": {},
    "paused": False,
    "poll_interval": 30.0,
    "timeout": 5.0,
    "offline_after": 2,
    "online_after": 1,
    "stale_after": None,
    "require": {},
}
FIELDS = tuple(_BUILT_IN)

_VARIABLE = re.compile(
    r"NODES_(?P<node>[A-Za-z0-9_]{1,64})_(?P<field>" + "|".join(ENVIRONMENT_FIELDS) + ")"
)


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value and who gave it."""

    value: Any
    source: Source


@dataclass(frozen=True, slots=True)
class EffectiveNode:
    """A node as it is to be treated now. Intervals are in seconds; a URL that nobody gave is None."""

    node_id: str
    fields: Mapping[str, Sourced]
    maintenance_until: datetime | None = None

    def value(self, name: str) -> Any:
        """The effective value of a field."""
        return self.fields[name].value

    @property
    def label(self) -> str:
        """What people call it; the id where nobody gave a name."""
        return str(self.value("label") or self.node_id)

    @property
    def role(self) -> str:
        """`runtime`, `control` … or empty."""
        return str(self.value("role"))

    @property
    def env(self) -> str:
        """`dev`, `staging`, `prod` or empty."""
        return str(self.value("env"))

    @property
    def router_url(self) -> str | None:
        """Where its router answers."""
        return cast("str | None", self.value("router_url"))

    @property
    def gateway_url(self) -> str | None:
        """Where its gateway answers."""
        return cast("str | None", self.value("gateway_url"))

    @property
    def monitor_url(self) -> str | None:
        """Where `/monitor/status` is asked first; `self` means this console."""
        return cast("str | None", self.value("monitor_url"))

    @property
    def is_self(self) -> bool:
        """Whether the node is this console, which is asked in the process."""
        return self.monitor_url == SELF

    @property
    def probe_url(self) -> str | None:
        """The base that is probed: monitor, else gateway, else router; None: there is nothing to ask."""
        return self.monitor_url or self.gateway_url or self.router_url

    @property
    def auth_ref(self) -> str | None:
        """Where the node's credentials are kept (`env:NAME`, `file:/run/secrets/x`); never the secret."""
        return cast("str | None", self.value("auth_ref"))

    @property
    def depends_on(self) -> list[str]:
        """Ids of the nodes that it cannot do without."""
        return cast("list[str]", self.value("depends_on"))

    @property
    def tags(self) -> list[str]:
        """Words to filter by."""
        return cast("list[str]", self.value("tags"))

    @property
    def labels(self) -> dict[str, str]:
        """Names and values for matchers and Prometheus."""
        return cast("dict[str, str]", self.value("labels"))

    @property
    def paused(self) -> bool:
        """Whether it is left alone: not probed, and nothing is said of it."""
        return bool(self.value("paused"))

    @property
    def poll_interval(self) -> float:
        """Seconds between two probes."""
        return float(self.value("poll_interval"))

    @property
    def timeout(self) -> float:
        """Seconds that a whole probe may take."""
        return float(self.value("timeout"))

    @property
    def offline_after(self) -> int:
        """Consecutive failed probes until it is offline."""
        return int(self.value("offline_after"))

    @property
    def online_after(self) -> int:
        """Consecutive good probes until it is online again."""
        return int(self.value("online_after"))

    @property
    def stale_after(self) -> float:
        """Seconds after which what is known of it is old: two intervals and a probe, if nobody says otherwise."""
        given = self.value("stale_after")
        return float(given) if given is not None else 2 * self.poll_interval + self.timeout

    @property
    def require(self) -> dict[str, Any]:
        """What the node has to report: `{"backends": {"alerts": ["postgres"]}, "artifact_max_age": {…}}`."""
        return cast("dict[str, Any]", self.value("require"))


def effective(node: Node) -> EffectiveNode:
    """The node's values with the source of each. Reads no database; the environment is read once."""
    fields = dict(_defaults())
    _apply(fields, node.declared or {}, "yaml")
    _apply(fields, node.overrides or {}, "admin")
    _apply(fields, environment_values(node.node_id), "env")
    return EffectiveNode(node.node_id, fields, node.maintenance_until)


def _apply(fields: dict[str, Sourced], given: Mapping[str, Any], source: Source) -> None:
    for name, value in given.items():
        if value is not None and name in fields:
            fields[name] = Sourced(value.rstrip("/") if name in URL_FIELDS else value, source)


def _defaults() -> dict[str, Sourced]:
    environment = settings.ENVIRONMENT
    values = _BUILT_IN | {
        "poll_interval": environment.poll_interval_s,
        "timeout": environment.probe_timeout_s,
        "offline_after": environment.offline_after,
    }
    fields = {name: Sourced(value, "default") for name, value in values.items()}
    _apply(fields, file_defaults.current(), "default")
    return fields


def environment_values(node_id: str) -> dict[str, str]:
    """The overrides that the process environment holds for a node; as written or in capitals, as written wins."""
    overrides = _process_overrides()
    part = variable_part(node_id)
    return {**overrides.get(part.upper(), {}), **overrides.get(part, {})}


@cache
def _process_overrides() -> dict[str, dict[str, str]]:
    return environment_overrides(os.environ)[0]


def environment_overrides(
    environ: Mapping[str, str], known: Collection[str] | None = None
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """`({"NODA1": {"router_url": "http://…"}}, faults)`: keys are ids as variables write them.

    A fault is one sentence that names the variable and never shows its value; a faulty override is left out. With `known`
    (the ids of the registry) a variable of a node that nobody knows is a fault as well.
    """
    overrides: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    for name, value in sorted(environ.items()):
        if not name.startswith("NODES_") or not name.endswith(("_URL", "_LABEL")):
            continue
        match = _VARIABLE.fullmatch(name)
        fault = _fault(match, value, known)
        if match is None or fault:
            faults.append(f"{name[:120]} {fault}")
            continue
        field = ENVIRONMENT_FIELDS[match["field"]]
        overrides.setdefault(match["node"], {})[field] = value.strip()
    return overrides, faults


def _fault(match: re.Match[str] | None, value: str, known: Collection[str] | None) -> str:
    if match is None:
        return (
            f"overrides nothing: it must be NODES_<ID>_ and one of {', '.join(ENVIRONMENT_FIELDS)}"
        )
    if known is not None:
        named = [node for node in known if match["node"] in _spellings(node)]
        if not named:
            return "names no node of the registry"
        if len(named) > 1:
            return f"could mean {' or '.join(sorted(named))}"
    if ENVIRONMENT_FIELDS[match["field"]] == "label":
        return text_fault(value, MAX_LABEL)
    return address_fault(value.strip(), may_be_self=match["field"] == "MONITOR_URL")


def _spellings(node_id: str) -> tuple[str, str]:
    part = variable_part(node_id)
    return part, part.upper()


def text_fault(value: str, limit: int) -> str:
    """What is wrong with a line of text, empty if nothing."""
    if not value.strip():
        return "is empty"
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value):
        return "holds control characters"
    if len(value) > limit:
        return f"is longer than {limit} characters"
    return ""


def address_fault(value: str, *, may_be_self: bool = False) -> str:
    """What is wrong with the form of a base address, empty if nothing. Where it leads is the network policy's matter."""
    if may_be_self and value == SELF:
        return ""
    if not value:
        return "is empty"
    try:
        target = urls.parse(value)
    except urls.UrlRefused as exc:
        return f"is no address to use: {exc}"
    return "is a base address: leave out the part from ? on" if target.query else ""
