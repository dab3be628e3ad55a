"""Asking one node how it is. Knows HTTP, knows nothing of Django.

`/monitor/status` on the node's monitor base, then `/healthz` and `/health` there and on its router, all under one deadline.
The first JSON object wins. A node that refuses or does not answer is asked nothing more: three time-outs say no more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import monotonic, perf_counter
from typing import Any, Literal, cast

from core.outbound import Purpose, errors
from core.outbound.engine import Response, fetch
from core.safe_json import UnsafeJson, dumps, loads
from nodes.bodies import plain_word, salvage, shown
from nodes.telemetry import Telemetry, normalise, printable

MAX_BODY = 256 * 1024
#: A node that answered on a later path is asked for /monitor/status again every so many probes.
FULL_ORDER_EVERY = 20
_HEADERS = ((b"accept", b"application/json"), (b"user-agent", b"sofiia-console"))
_LEAST_S = 0.01

Part = Literal["monitor", "gateway", "router"]
Source = Literal["monitor", "healthz", "health", "none"]


class Outcome(StrEnum):
    """How a probe ended. `ours`: through a fault of this console, which says nothing of the node."""

    ANSWERED = "answered"
    BAD = "bad"
    UNREACHABLE = "unreachable"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """Where and for how long to ask. `base_part` says which address of the node `base_url` is."""

    node_id: str
    base_url: str | None
    base_part: Part = "monitor"
    router_url: str | None = None
    gateway_url: str | None = None
    timeout_s: float = 5.0
    is_self: bool = False


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe found. `error` is a sentence; `expected` is the part of the node whose address was asked."""

    node_id: str
    outcome: Outcome
    source: Source = "none"
    path: str | None = None
    latency_ms: float | None = None
    http_status: int | None = None
    raw: str = ""
    telemetry: Telemetry = field(default_factory=Telemetry)
    complaints: tuple[str, ...] = ()
    error: str | None = None
    expected: Part | None = None
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class _Attempt:
    base_url: str
    part: Part
    path: str
    source: Source

    @property
    def url(self) -> str:
        return self.base_url.rstrip("/") + self.path


def _attempts(target: ProbeTarget) -> Iterator[_Attempt]:
    base = target.base_url or ""
    yield _Attempt(base, target.base_part, "/monitor/status", "monitor")
    yield _Attempt(base, target.base_part, "/healthz", "healthz")
    yield _Attempt(base, target.base_part, "/health", "health")
    router = target.router_url
    if router and router.rstrip("/") != base.rstrip("/"):
        yield _Attempt(router, "router", "/healthz", "healthz")
        yield _Attempt(router, "router", "/health", "health")


def _is_of(attempt: _Attempt, target: ProbeTarget) -> bool:
    """Whether the attempt is still one of the target's: addresses can be edited."""
    if attempt.base_url == target.base_url:
        return attempt.part == target.base_part
    return attempt.part == "router" and attempt.base_url == target.router_url


class PathMemory:
    """Which path of a node answered last, so that a node without /monitor/status costs one request and not five."""

    def __init__(self) -> None:
        self._worked: dict[str, tuple[_Attempt, int]] = {}

    def order(self, target: ProbeTarget) -> Iterator[_Attempt]:
        """All paths, the one that worked first, except every FULL_ORDER_EVERYth time."""
        worked, uses = self._worked.get(target.node_id, (None, 0))
        if worked is not None and (uses >= FULL_ORDER_EVERY - 1 or not _is_of(worked, target)):
            del self._worked[target.node_id]
            worked = None
        if worked is not None:
            self._worked[target.node_id] = worked, uses + 1
            yield worked
        for attempt in _attempts(target):
            if attempt != worked:
                yield attempt

    def remember(self, target: ProbeTarget, attempt: _Attempt) -> None:
        """`attempt` gave the node's answer."""
        worked, _uses = self._worked.get(target.node_id, (None, 0))
        if attempt.source == "monitor":
            self._worked.pop(target.node_id, None)
        elif attempt != worked:
            self._worked[target.node_id] = attempt, 0

    def forget(self, node_id: str) -> None:
        """The node did not answer: what comes back may be a newer version."""
        self._worked.pop(node_id, None)


async def probe(target: ProbeTarget, memory: PathMemory | None = None) -> ProbeResult:
    """Ask a node once. Whatever it does is a result, never an exception."""
    if target.is_self:
        return await _ask_self(target)
    if not target.base_url:
        return ProbeResult(
            target.node_id,
            Outcome.OURS,
            error="Has no address: set monitor_url, gateway_url or router_url",
        )
    memory = memory or PathMemory()
    result = await _ask_in_order(target, memory)
    if result.outcome is not Outcome.ANSWERED:
        memory.forget(target.node_id)
    return result


async def _ask_in_order(target: ProbeTarget, memory: PathMemory) -> ProbeResult:
    deadline = monotonic() + target.timeout_s
    passed: list[_PassedOver] = []
    for attempt in memory.order(target):
        left = deadline - monotonic()
        if left < _LEAST_S:
            return _silence(target, attempt)
        answer = await _ask(target, attempt, left)
        if isinstance(answer, _PassedOver):
            passed.append(answer)
            continue
        if answer.outcome is Outcome.ANSWERED:
            memory.remember(target, attempt)
            return _with_remarks(answer, passed)
        return answer
    return _no_status(target, passed)


@dataclass(frozen=True, slots=True)
class _PassedOver:
    """There is something at the address, but no status here. `broken` names a status report that cannot be read."""

    attempt: _Attempt
    response: Response
    why: str
    broken: str = ""


async def _ask(
    target: ProbeTarget, attempt: _Attempt, deadline_s: float
) -> ProbeResult | _PassedOver:
    try:
        response = await fetch(
            "GET",
            attempt.url,
            purpose=Purpose.PROBE,
            headers=_HEADERS,
            deadline_s=deadline_s,
            max_bytes=MAX_BODY,
        )
    except errors.OutboundError as error:
        return _unanswered(target, attempt, error)
    if 200 <= response.status < 300:
        return _read(target, attempt, response)
    if response.status in (401, 403, 429) or (response.status >= 500 and response.status != 501):
        return _refusal(target, attempt, response)
    return _PassedOver(attempt, response, str(response.status))


def _unanswered(target: ProbeTarget, attempt: _Attempt, error: errors.OutboundError) -> ProbeResult:
    """The result behind an error of the engine: whose fault it was decides."""
    text = str(error)
    sentence = text[:1].upper() + text[1:]
    match error:
        case errors.DeadlineExceeded():
            return _silence(target, attempt)
        case errors.PolicyRefused() | errors.LocalFault():
            outcome, sentence = Outcome.OURS, f"Not probed: {text}"
        case errors.NameUnresolved(is_temporary=True):
            outcome, sentence = Outcome.OURS, f"Not probed, the name server is silent: {text}"
        case errors.BodyTooLarge():
            outcome = Outcome.BAD
            sentence = f"Bad status report: {attempt.path} is larger than {MAX_BODY // 1024} KiB"
        case errors.BadResponse() | errors.TlsFailed():
            outcome = Outcome.BAD
        case _:
            outcome = Outcome.UNREACHABLE
    return ProbeResult(
        target.node_id,
        outcome,
        error=sentence[:200],
        path=attempt.path,
        expected=attempt.part,
        timed_out=isinstance(error, errors.ConnectFailed) and error.kind == "timeout",
    )


def _silence(target: ProbeTarget, attempt: _Attempt) -> ProbeResult:
    return ProbeResult(
        target.node_id,
        Outcome.UNREACHABLE,
        error=f"No answer within {target.timeout_s:g} s",
        path=attempt.path,
        expected=attempt.part,
        timed_out=True,
    )


def _refusal(target: ProbeTarget, attempt: _Attempt, response: Response) -> ProbeResult:
    """Reachable, but it answered with an error: that is not being offline."""
    hint = " (reachable, not authorised)" if response.status in (401, 403) else ""
    return ProbeResult(
        target.node_id,
        Outcome.BAD,
        path=attempt.path,
        latency_ms=_rounded(response.total_ms),
        http_status=response.status,
        raw=shown(response.body),
        error=f"{attempt.part.capitalize()} answered {response.status}{hint}",
        expected=attempt.part,
    )


def _read(target: ProbeTarget, attempt: _Attempt, response: Response) -> ProbeResult | _PassedOver:
    """A 2xx: the status report in it, or the reason why there is none."""
    complaints: list[str] = []
    try:
        body = loads(response.body, max_bytes=MAX_BODY)
    except UnsafeJson as error:
        complaints.append(f"{attempt.path} {error.reason}")
        body = salvage(response.body)
        if body is None and attempt.source != "monitor":
            body = plain_word(response.body)
            complaints = [] if body else complaints
    if not isinstance(body, dict):
        looks_meant = response.body.lstrip()[:1] == b"{"
        broken = complaints[0] if complaints and looks_meant else ""
        return _PassedOver(attempt, response, "no JSON object", broken)
    telemetry, wrong = normalise(body)
    return ProbeResult(
        target.node_id,
        Outcome.ANSWERED,
        source=attempt.source,
        path=attempt.path,
        latency_ms=_rounded(response.total_ms),
        http_status=response.status,
        raw=shown(response.body),
        telemetry=telemetry,
        complaints=(*complaints, *wrong),
        expected=_part_at(attempt, target),
    )


def _part_at(attempt: _Attempt, target: ProbeTarget) -> Part:
    """Which part of the node should answer there: a monitor base may be the router's or the gateway's own address."""
    base = attempt.base_url.rstrip("/")
    if target.router_url and base == target.router_url.rstrip("/"):
        return "router"
    if target.gateway_url and base == target.gateway_url.rstrip("/"):
        return "gateway"
    return attempt.part


def _with_remarks(answer: ProbeResult, passed: list[_PassedOver]) -> ProbeResult:
    """The answer, with what was wrong with a status report that was passed over for it."""
    broken = tuple(over.broken for over in passed if over.broken)
    if not broken:
        return answer
    return replace(answer, complaints=broken + answer.complaints)


def _no_status(target: ProbeTarget, passed: list[_PassedOver]) -> ProbeResult:
    """The node answers everywhere and says nowhere how it is."""
    last = passed[-1]
    unreadable = next((over.broken for over in passed if over.broken), "")
    answers = ", ".join(f"{over.attempt.path}: {over.why}" for over in passed[:3])
    return ProbeResult(
        target.node_id,
        Outcome.BAD,
        path=last.attempt.path,
        latency_ms=_rounded(last.response.total_ms),
        http_status=last.response.status,
        raw=shown(passed[0].response.body),
        error=(
            f"Bad status report: {unreadable}"
            if unreadable
            else f"Answers, but gives no status ({answers})"
        )[:200],
        expected=last.attempt.part,
    )


def _rounded(latency_ms: float) -> float:
    return round(max(latency_ms, 0.0), 2)


# --- this console itself --------------------------------------------------------------------------------------------

_own_status: Callable[[], Mapping[str, Any]] | None = None
_own_thread = ThreadPoolExecutor(1, "own-status")


def register_self(status: Callable[[], Mapping[str, Any]]) -> None:
    """Say who answers for a node whose `monitor_url` is `self`.

    `status` gives the body of /monitor/status. It runs in a thread of its own and has to look after its database connections.
    """
    global _own_status
    _own_status = status


async def _ask_self(target: ProbeTarget) -> ProbeResult:
    """The console's own account, over no network; a failure here is ours by definition."""
    status = _own_status
    if status is None:
        return ProbeResult(
            target.node_id, Outcome.OURS, error="This process cannot tell how the console is"
        )

    def timed() -> tuple[bytes, float]:
        began = perf_counter()
        return dumps(status()), (perf_counter() - began) * 1000

    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(target.timeout_s):
            body, latency_ms = await loop.run_in_executor(_own_thread, timed)
        telemetry, complaints = normalise(cast("object", loads(body)))
    except Exception as error:  # whatever the console's own parts raise is its own trouble
        why = printable(str(error)) or type(error).__name__
        return ProbeResult(
            target.node_id, Outcome.OURS, error=f"The console's own status failed: {why}"[:200]
        )
    return ProbeResult(
        target.node_id,
        Outcome.ANSWERED,
        source="monitor",
        path="self",
        latency_ms=_rounded(latency_ms),
        http_status=200,
        raw=shown(body),
        telemetry=telemetry,
        complaints=tuple(complaints),
    )
