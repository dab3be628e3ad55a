"""How the services beside us are: one bounded question each, all at once, never an exception."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.outbound import Purpose
from core.outbound.engine import fetch
from core.outbound.errors import OutboundError
from core.safe_json import UnsafeJson, loads

#: The whole budget of one service; `/api/status/full` promises an answer within 3 s.
DEADLINE_S = 2.0
_MAX_BODY = 256 * 1024
#: Words of a health body that mean "up", as services of this field answer; anything else outranks HTTP 200.
UP_WORDS = frozenset({"ok", "healthy", "online", "operational", "running", "ready"})


@dataclass(frozen=True, slots=True)
class Answer:
    """`ok` None means: nobody is configured there. `body` is the JSON object, when there was one."""

    ok: bool | None
    url: str | None
    latency_ms: float | None = None
    error: str | None = None
    body: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The shape of `/api/status/full`."""
        return {"ok": self.ok, "url": self.url, "latency_ms": self.latency_ms, "error": self.error}


async def ask(
    url: str, paths: Sequence[str], purpose: Purpose, *, not_service: Sequence[str] = ()
) -> Answer:
    """Ask the first of `paths` that exists for the service's health; the next is tried only after 404, 405 or 501.

    `not_service` names services that must not answer here (a memory service in the router's place).
    """
    if not url:
        return Answer(None, None, error="not configured")
    began = time.monotonic()
    answer = Answer(False, url, error="nothing answers there")
    for path in paths:
        left = DEADLINE_S - (time.monotonic() - began)
        answer, more = await _ask_one(url, path, purpose, max(left, 0.05), not_service)
        if not more:
            break
    return answer


async def _ask_one(
    url: str, path: str, purpose: Purpose, deadline_s: float, not_service: Sequence[str]
) -> tuple[Answer, bool]:
    """The answer of one path, and whether the next one is worth a try."""
    try:
        response = await fetch(
            "GET", url + path, purpose=purpose, deadline_s=deadline_s, max_bytes=_MAX_BODY
        )
    except OutboundError as exc:
        return Answer(False, url, error=str(exc)), False
    latency = round(response.total_ms, 1)
    if response.status in (404, 405, 501):
        return Answer(False, url, latency, f"no {path} here ({response.status})"), True
    if response.status != 200:
        return Answer(False, url, latency, f"answered {response.status}"), False
    try:
        body = loads(response.body)
    except UnsafeJson as exc:
        return Answer(False, url, latency, exc.reason), True
    if not isinstance(body, dict):
        return Answer(False, url, latency, "the answer is no JSON object"), True
    fault = _complaint(body, not_service)
    return Answer(fault is None, url, latency, fault, body), False


def _complaint(body: Mapping[str, Any], not_service: Sequence[str]) -> str | None:
    service, word = body.get("service"), body.get("status")
    if service in not_service:
        return f"{service} answers here"
    if isinstance(word, str) and word.lower() not in UP_WORDS:
        return f'reports "{word[:40]}"'
    if body.get("ok") is False or body.get("online") is False:
        return "reports itself as not ok"
    return None
