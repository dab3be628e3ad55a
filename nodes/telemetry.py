"""What a node says of itself, made safe: well-formed fields are kept, wrong ones dropped with a complaint in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_ENTRIES = 32
MAX_COMPLAINTS = 8
MAX_TEXT = 120
#: A node's clock may run ahead by this much before it is worth a word; below it is the network's delay and rounding.
SKEW_S = 2.0
_YEAR_S = 365 * 86_400.0
_DAY_MS = 86_400_000.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The runbook's fields and who is speaking. None: not reported, and never replaced by a guess."""

    online: bool | None = None
    ok: bool | None = None
    status_word: str | None = None
    node_id: str | None = None
    service: str | None = None
    version: str | None = None
    ts: datetime | None = None
    heartbeat_age_s: float | None = None
    clock_skew_s: float | None = (
        None  # how far the node's clock is ahead of ours, where that is visible
    )
    router_ok: bool | None = None
    router_latency_ms: float | None = None
    gateway_ok: bool | None = None
    gateway_latency_ms: float | None = None
    p95_ms: float | None = None
    failed_rate: float | None = None
    open_incidents: int | None = None
    backends: Mapping[str, str] = field(default_factory=dict)
    last_artifacts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The form that `NodeState.telemetry` keeps; every key is always there."""
        return {
            "ts": _rfc3339(self.ts) if self.ts else None,
            "heartbeat_age_s": self.heartbeat_age_s,
            "clock_skew_s": self.clock_skew_s,
            "router": {"ok": self.router_ok, "latency_ms": self.router_latency_ms},
            "gateway": {"ok": self.gateway_ok, "latency_ms": self.gateway_latency_ms},
            "alerts_loop_slo": {"p95_ms": self.p95_ms, "failed_rate": self.failed_rate},
            "open_incidents": self.open_incidents,
            "backends": dict(self.backends),
            "last_artifacts": dict(self.last_artifacts),
            "node_id": self.node_id,
            "service": self.service,
            "version": self.version,
            "status_word": self.status_word,
        }


def normalise(body: object, *, now: datetime | None = None) -> tuple[Telemetry, list[str]]:
    """The telemetry in a decoded JSON body, and what is wrong with the body; never raises.

    A complaint is one short phrase that starts with the field's name ("open_incidents is not a whole number").
    """
    if not isinstance(body, dict):
        return Telemetry(), ["the answer is not a JSON object"]
    read = _Reader(body)
    router, gateway = read.section("router"), read.section("gateway")
    slo = read.section("alerts_loop_slo")
    ts = read.moment("ts")
    age = read.number("heartbeat_age_s", high=10 * _YEAR_S)
    age, skew = _heartbeat(age, ts, now or datetime.now(UTC))
    telemetry = Telemetry(
        online=read.flag("online"),
        ok=read.flag("ok"),
        status_word=read.text("status"),
        node_id=read.text("node_id"),
        service=read.text("service"),
        version=read.text("version"),
        ts=ts,
        heartbeat_age_s=age,
        clock_skew_s=skew,
        router_ok=router.flag("ok"),
        router_latency_ms=router.number("latency_ms", high=_DAY_MS),
        gateway_ok=gateway.flag("ok"),
        gateway_latency_ms=gateway.number("latency_ms", high=_DAY_MS),
        p95_ms=slo.number("p95_ms", high=_DAY_MS),
        failed_rate=slo.number("failed_rate", high=1.0),
        open_incidents=read.whole("open_incidents", high=1_000_000_000),
        backends=read.words("backends"),
        last_artifacts=read.words("last_artifacts"),
    )
    return telemetry, read.complaints[:MAX_COMPLAINTS]


def printable(text: str, limit: int = MAX_TEXT) -> str:
    """`text` without control, format and surrogate characters, cut to `limit`."""
    text = text[: limit * 2]
    if not text.isprintable():
        text = "".join(char for char in text if char.isprintable())
    return text.strip()[:limit]


def _heartbeat(
    age: float | None, ts: datetime | None, now: datetime
) -> tuple[float | None, float | None]:
    """Age and clock skew. A time stamp from the future is a clock that runs ahead, not a negative age."""
    if ts is None:
        return age, None
    since = (now - ts).total_seconds()
    skew = round(-since, 1) if since < -SKEW_S else None
    return (max(0.0, round(since, 1)) if age is None else age), skew


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


class _Reader:
    """Takes typed fields out of one JSON object. A missing or null field is None and no complaint."""

    def __init__(
        self, body: Mapping[str, Any], prefix: str = "", complaints: list[str] | None = None
    ):
        self.body = body
        self.prefix = prefix
        self.complaints: list[str] = [] if complaints is None else complaints

    def _complain(self, name: str, what: str) -> None:
        self.complaints.append(f"{self.prefix}{name} {what}")

    def section(self, name: str) -> _Reader:
        """The object under a key; an empty one where there is none."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, dict):
            self._complain(name, "is not an object")
            value = None
        return _Reader(value or {}, f"{self.prefix}{name}.", self.complaints)

    def flag(self, name: str) -> bool | None:
        """true or false."""
        value = self.body.get(name)
        if value is None or isinstance(value, bool):
            return value
        self._complain(name, "is neither true nor false")
        return None

    def number(self, name: str, *, high: float) -> float | None:
        """A finite number from 0 to `high`."""
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._complain(name, "is not a number")
        elif isinstance(value, float) and not math.isfinite(value):
            self._complain(name, "is not a finite number")
        elif not 0 <= value <= high:
            self._complain(name, "is below 0" if value < 0 else f"is above {high:g}")
        else:
            return value
        return None

    def whole(self, name: str, *, high: int) -> int | None:
        """A whole number from 0 to `high`; 2.0 is one."""
        value = self.body.get(name)
        if isinstance(value, bool) or (value is not None and not isinstance(value, int | float)):
            self._complain(name, "is not a whole number")
            return None
        number = self.number(name, high=high)
        if number is not None and number != int(number):
            self._complain(name, "is not a whole number")
            return None
        return None if number is None else int(number)

    def text(self, name: str) -> str | None:
        """One line of text; what cannot be shown is taken out."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self._complain(name, "is not text")
            return None
        clean = printable(value)
        if clean != value.strip():
            self._complain(name, _why_cleaned(value))
        return clean or None

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 time; one without a zone is taken as UTC."""
        value = self.body.get(name)
        if value is None:
            return None
        try:
            if not isinstance(value, str) or len(value) > 40:
                raise ValueError
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self._complain(name, "is not an RFC 3339 time")
            return None

    def words(self, name: str) -> dict[str, str]:
        """An object of names and short texts, at most MAX_ENTRIES of them."""
        section = self.section(name)
        if len(section.body) > MAX_ENTRIES:
            self._complain(name, f"has more than {MAX_ENTRIES} entries")
        found: dict[str, str] = {}
        for key in list(section.body)[:MAX_ENTRIES]:
            label = printable(str(key), 64)
            text = _Reader({label: section.body[key]}, section.prefix, self.complaints).text(label)
            if label and text is not None:
                found[label] = text
        return found


def _why_cleaned(value: str) -> str:
    if value.isprintable():
        return f"is longer than {MAX_TEXT} characters"
    return "holds characters that cannot be shown"
