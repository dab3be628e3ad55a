"""What a probe's result says of a node: a pure function from what was known and what was found to a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from core.upstreams import UP_WORDS
from nodes.buckets import Mark
from nodes.client import Outcome, ProbeResult
from nodes.models import Status
from nodes.telemetry import Telemetry

OFFLINE_WORDS = frozenset({"offline", "down"})
_KNOWN_WORDS = frozenset({"degraded", "maintenance", "unhealthy"}) | OFFLINE_WORDS
#: Which part of a node a service is. A service that is not listed may be anything.
_PART_OF_SERVICE = {
    "router": "router",
    "dagi-router": "router",
    "bot-gateway": "gateway",
    "memory-service": "memory",
    "node-registry": "registry",
    "stt-service": "speech",
    "swapper-service": "swapper",
}
_PART_OF_ROLE = {"runtime": "router", "router": "router", "gateway": "gateway", "memory": "memory"}
#: Nobody counts further in a row: more says nothing, and the column ends.
_COUNTED = 1_000_000
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


class Known(Protocol):
    """What was known before: the part of NodeState that a verdict needs."""

    status: str
    failures: int
    successes: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a node counts as what; `role` and the required values come from the registry."""

    offline_after: int = 2
    online_after: int = 1
    stale_after_s: float = 90.0
    role: str = ""
    backends: Mapping[str, Sequence[str]] = field(default_factory=dict)
    artifact_max_age_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The node's new state. `reasons` are sentences for the operator, the weightiest first."""

    status: Status
    reasons: tuple[str, ...]
    failures: int
    successes: int
    mark: Mark


def verdict(previous: Known, result: ProbeResult, limits: Thresholds, now: datetime) -> Verdict:
    """Judge one result.

    A fault of ours makes the node `unknown` and leaves its counters alone, so that it can never add up to `offline`.
    """
    if result.outcome is Outcome.OURS:
        counters = previous.failures, previous.successes
        return Verdict(Status.UNKNOWN, (result.error or "",), *counters, Mark.UNKNOWN)
    failure = _failure(result)
    if failure:
        failures = min(previous.failures + 1, _COUNTED)
        status = Status.OFFLINE if failures >= limits.offline_after else Status.DEGRADED
        return Verdict(status, (failure,), failures, 0, Mark.FAILED)
    if result.outcome is Outcome.BAD:
        return Verdict(Status.DEGRADED, (result.error or "",), 0, 0, Mark.DEGRADED)
    successes = min(previous.successes + 1, _COUNTED)
    reasons = tuple(dict.fromkeys(_faults(result, limits, now)))
    if reasons:
        return Verdict(Status.DEGRADED, reasons, 0, successes, Mark.DEGRADED)
    if successes < limits.online_after and previous.status in (Status.OFFLINE, Status.DEGRADED):
        waiting = f"Answers again; online after {limits.online_after} good probes in a row"
        return Verdict(Status.DEGRADED, (waiting,), 0, successes, Mark.ONLINE)
    return Verdict(Status.ONLINE, (), 0, successes, Mark.ONLINE)


def _failure(result: ProbeResult) -> str:
    """Why the probe counts as failed: no answer, or a node that calls itself offline."""
    if result.outcome is Outcome.UNREACHABLE:
        return result.error or "No answer"
    if result.outcome is Outcome.ANSWERED:
        said = result.telemetry
        if said.online is False:
            return "Says that it is offline"
        if (said.status_word or "").lower() in OFFLINE_WORDS:
            return f"Says that its status is “{said.status_word}”"
    return ""


def _faults(result: ProbeResult, limits: Thresholds, now: datetime) -> Iterator[str]:
    """Everything that keeps a node that answered from being online."""
    said = result.telemetry
    yield from _own_words(said)
    yield from _identity(said, result, limits)
    if said.router_ok is False:
        yield "Its router is down"
    if said.gateway_ok is False:
        yield "Its gateway is down"
    if said.heartbeat_age_s is not None and said.heartbeat_age_s > limits.stale_after_s:
        yield f"Its heartbeat is older than {_span(limits.stale_after_s)}"
    yield from _requirements(said, result.source, limits, now)
    for complaint in result.complaints:
        yield f"Bad status report: {complaint}"


def _own_words(said: Telemetry) -> Iterator[str]:
    """The `status` word outranks `ok`, and both outrank HTTP 200."""
    word = (said.status_word or "").lower()
    if word and word not in UP_WORDS:
        unknown = "" if word in _KNOWN_WORDS else ", a word that this console does not know"
        yield f"Says that its status is “{said.status_word}”{unknown}"
    elif not word and said.ok is False:
        yield "Says that it is not ok"


def _identity(said: Telemetry, result: ProbeResult, limits: Thresholds) -> Iterator[str]:
    """Somebody else answers at the node's address."""
    part = _PART_OF_SERVICE.get((said.service or "").lower())
    expected = _PART_OF_ROLE.get(limits.role.lower()) or result.expected
    if part and expected not in (None, "monitor", part):
        yield f"{said.service} answers where its {expected} should"
    if said.node_id and said.node_id.lower() != result.node_id.lower():
        yield f"Answers as {said.node_id}: is this the right address?"


def _requirements(said: Telemetry, source: str, limits: Thresholds, now: datetime) -> Iterator[str]:
    """What the registry requires of the node. What is not reported is not met, and said to be unknown."""
    if source != "monitor" and (limits.backends or limits.artifact_max_age_s):
        yield "What the registry requires of it is unknown: it has no /monitor/status"
        return
    for name, allowed in limits.backends.items():
        found = said.backends.get(name)
        if found not in allowed:
            wanted = " or ".join(allowed)
            yield f"Backend {name} is {found or 'not reported'}; required is {wanted}"
    for name, limit in limits.artifact_max_age_s.items():
        stamp = said.last_artifacts.get(name)
        age = _artifact_age_s(stamp, now) if stamp else None
        if age is None:
            yield f"Artifact {name} is not reported"
        elif age > limit:
            yield f"Artifact {name} ({stamp}) is older than {_span(limit)}"


def _artifact_age_s(stamp: str, now: datetime) -> float | None:
    """Seconds since the end of the day, ISO week or moment that an artifact is named after; None: not a date."""
    try:
        if week := _WEEK.fullmatch(stamp):
            monday = date.fromisocalendar(int(week[1]), int(week[2]), 1)
            end = datetime(monday.year, monday.month, monday.day, tzinfo=UTC) + timedelta(days=7)
        else:
            end = datetime.fromisoformat(stamp)
            end = end if end.tzinfo else end.replace(tzinfo=UTC)
            if len(stamp) <= len("2026-02-24"):
                end += timedelta(days=1)
        return max(0.0, (now - end).total_seconds())
    except (ValueError, OverflowError):
        return None


def _span(seconds: float) -> str:
    """A duration as people say it: 90 s, 36 h, 9 days."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
