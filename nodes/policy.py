"""`config/nodes_registry.yml`: the nodes of the fleet as their operators declare them.

Both forms are valid: the runbook's flat one (a label and URLs for each node) and the one with everything that a node may be
given. A field that a file leaves out is None and means: take the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from django.conf import settings
from pydantic import AfterValidator, Field, model_validator

from core.outbound import urls
from core.policies.base import Loc, Policy, misfit
from core.policies.errors import Fault, PolicyError
from core.policies.fields import Duration, SecretRef, between
from core.policies.loader import Loaded, load_policy

FILE_NAME = "nodes_registry.yml"
#: An inventory grows with the fleet: this is room for about 5,000 nodes.
MAX_FILE_BYTES = 1_048_576
SELF = "self"
_NODE_ID = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}", re.ASCII)


def _check_node_id(node_id: str) -> str:
    if not _NODE_ID.fullmatch(node_id) or not node_id.strip("."):
        raise ValueError("expected a node id of 1 to 64 letters, digits, '_', '-' or '.'")
    return node_id


def _check_url(url: str) -> str:
    """A base address without the slash at its end."""
    try:
        target = urls.parse(url)
    except urls.UrlRefused as exc:
        raise ValueError(f"expected an address: {exc}") from exc
    if target.query:
        raise ValueError("expected a base address: leave out the part from ? on")
    return url.rstrip("/")


def _check_monitor_url(url: str) -> str:
    return url if url == SELF else _check_url(url)


def _check_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("expected a line of text")
    return text.strip()


def _check_name(name: str) -> str:
    """Names that Prometheus takes: one that it does not would cost it the whole target group."""
    if not _NAME.fullmatch(name):
        raise ValueError("expected a name of letters, digits and _, such as a Prometheus label has")
    return name


def _check_tag(tag: str) -> str:
    """One word for one thing: forms separate tags by commas."""
    if "," in tag:
        raise ValueError("expected a tag without a comma")
    return _check_text(tag)


NodeId = Annotated[str, AfterValidator(_check_node_id)]
Url = Annotated[str, AfterValidator(_check_url)]
MonitorUrl = Annotated[str, AfterValidator(_check_monitor_url)]
Label = Annotated[str, Field(max_length=200), AfterValidator(_check_text)]
Role = Annotated[str, Field(max_length=64), AfterValidator(_check_text)]
Env = Annotated[str, Field(max_length=32), AfterValidator(_check_text)]
Tag = Annotated[str, Field(max_length=64), AfterValidator(_check_tag)]
LabelName = Annotated[str, AfterValidator(_check_name)]
Times = Annotated[int, Field(ge=1, le=1000)]
Interval = Annotated[Duration, between("500ms", "1d")]
Timeout = Annotated[Duration, between("100ms", "5m")]


class Pace(Policy):
    """How often a node is asked, and how many answers change the mind about it."""

    poll_interval: Interval | None = None
    """Time between two probes (30s)."""
    timeout: Timeout | None = None
    """What one probe may take in all, every path that it tries included (5s)."""
    offline_after: Times | None = None
    """Failed probes in a row until a node is offline; before that it is degraded (2)."""
    online_after: Times | None = None
    """Good probes in a row until it is online again (1)."""
    stale_after: Annotated[Duration, between("1s", "30d")] | None = None
    """Age from which what is known of a node is called old (two intervals and one probe)."""


class Defaults(Pace):
    """What holds for every node that does not say otherwise."""

    paths: tuple[Literal["/monitor/status", "/healthz", "/health"], ...] | None = None
    """The paths of a probe in their order; kept from older files, the order itself is fixed."""


class Require(Policy):
    """What a node has to report to count as healthy."""

    backends: dict[LabelName, tuple[str, ...]] = Field(default_factory=dict)
    """Backends and what each may be: `{alerts: [postgres]}`."""
    artifact_max_age: dict[LabelName, Annotated[Duration, between("1m", "3650d")]] = Field(
        default_factory=dict
    )
    """How old the last artifact of a kind may be: `{risk_digest: 36h}`."""


class NodeSpec(Pace):
    """One node; what is None was not given."""

    label: Label | None = None
    """What people call it (its id)."""
    role: Role | None = None
    """What it does: `runtime`, `control`, `memory` …"""
    env: Env | None = None
    """`dev`, `staging` or `prod`."""
    router_url: Url | None = None
    """Where its router answers."""
    gateway_url: Url | None = None
    """Where its gateway answers."""
    monitor_url: MonitorUrl | None = None
    """Where `/monitor/status` is asked first; `self` is this console."""
    auth_ref: SecretRef | None = None
    """Where the key for calls to this node is: `env:NAME` or `file:/run/secrets/NAME`."""
    depends_on: tuple[NodeId, ...] | None = None
    """Nodes that this one cannot do without."""
    tags: Annotated[tuple[Tag, ...], Field(max_length=50)] | None = None
    """Words to filter by."""
    labels: Annotated[dict[LabelName, Label], Field(max_length=50)] | None = None
    """Names and values for matchers and Prometheus."""
    paused: bool | None = None
    """Leave it alone: not probed, and nothing is said of it."""
    require: Require | None = None
    """What it has to report to count as healthy."""


class NodesRegistry(Policy):
    """The whole file."""

    defaults: Defaults = Defaults()
    """What holds for every node that does not say otherwise."""
    witnesses: tuple[Url, ...] = ()
    """Addresses that always answer. When all of them fail, the link of this console is down and nodes become unknown."""
    nodes: dict[NodeId, NodeSpec] = Field(default_factory=dict)
    """The fleet by node id."""

    @model_validator(mode="after")
    def _fits_together(self) -> NodesRegistry:
        problems = [*_clashes(self.nodes), *_unknown_dependencies(self.nodes)]
        problems = problems or list(_circles(self.nodes))
        if problems:
            raise misfit(problems)
        return self


def load_registry() -> Loaded[NodesRegistry]:
    """The registry of this installation (`settings.CONFIG_DIR`). Raises PolicyError."""
    directory = settings.CONFIG_DIR
    if directory is None:
        raise PolicyError(FILE_NAME, [Fault(1, 1, "not found: set CONFIG_DIR to its directory")])
    return load_policy(directory / FILE_NAME, NodesRegistry, max_bytes=MAX_FILE_BYTES)


def variable_part(node_id: str) -> str:
    """How a node's id is written in a variable's name: `edge-1.kyiv` is `edge_1_kyiv`."""
    return node_id.replace("-", "_").replace(".", "_")


def _clashes(nodes: Mapping[str, NodeSpec]) -> Iterator[tuple[Loc, str]]:
    """Nodes whose variables would have one name; variables may be in capitals."""
    owners: dict[str, str] = {}
    for node_id in nodes:
        owner = owners.setdefault(variable_part(node_id).upper(), node_id)
        if owner != node_id:
            name = f"NODES_{variable_part(node_id).upper()}_…"
            yield ("nodes", node_id, "[key]"), f"{name} would mean {owner} too: rename one of them"


def _unknown_dependencies(nodes: Mapping[str, NodeSpec]) -> Iterator[tuple[Loc, str]]:
    for node_id, spec in nodes.items():
        for index, other in enumerate(spec.depends_on or ()):
            if other not in nodes:
                yield ("nodes", node_id, "depends_on", index), f"there is no node {other}"


def _circles(nodes: Mapping[str, NodeSpec]) -> Iterator[tuple[Loc, str]]:
    """One circle, if there is any: nodes that wait for nobody are taken away again and again, circles are left."""
    waits = {node_id: set(spec.depends_on or ()) for node_id, spec in nodes.items()}
    needed_by: dict[str, list[str]] = {node_id: [] for node_id in nodes}
    for node_id, others in waits.items():
        for other in others:
            needed_by[other].append(node_id)
    free = [node_id for node_id, others in waits.items() if not others]
    while free:
        done = free.pop()
        waits.pop(done)
        for node_id in needed_by[done]:
            waits[node_id].discard(done)
            if not waits[node_id]:
                free.append(node_id)
    if waits:
        way = _way_round(waits)
        yield ("nodes", way[0], "depends_on"), f"goes in a circle: {' → '.join(way)}"


def _way_round(waits: Mapping[str, set[str]]) -> list[str]:
    """One circle among nodes that all wait for another one of them: follow the first way until a node comes again."""
    way = [next(iter(waits))]
    seen = {way[0]}
    while True:
        following = min(waits[way[-1]])
        if following in seen:
            return [*way[way.index(following) :], following]
        way.append(following)
        seen.add(following)
