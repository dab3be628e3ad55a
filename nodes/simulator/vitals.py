"""The believable numbers of a node: they drift slowly, and never jump without a cause."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

HEARTBEAT_S = 10
_INCIDENT_SLOT_S = 600


class Drift:
    """A number that wanders around its middle and forgets where it was in about `memory_s` seconds."""

    def __init__(self, rng: random.Random, low: float, high: float, memory_s: float = 300) -> None:
        self._rng = rng
        self.low, self.high = low, high
        self._middle = rng.uniform(low + (high - low) * 0.2, high - (high - low) * 0.3)
        self._sigma = (high - low) / 8
        self._memory_s = memory_s
        self._value = self._middle
        self._at: float | None = None

    def value(self, now: float) -> float:
        """The number at `now` (seconds); always within low and high."""
        elapsed = max(0.0, now - self._at) if self._at is not None else 0.0
        kept = math.exp(-elapsed / self._memory_s)
        noise = self._sigma * math.sqrt(1 - kept * kept) * self._rng.gauss(0, 1)
        moved = self._middle + (self._value - self._middle) * kept + noise
        self._value, self._at = min(self.high, max(self.low, moved)), now
        return self._value


class Vitals:
    """Everything that one node knows of itself. Two nodes of the same seed tell the same story."""

    def __init__(self, node_id: str, seed: int, clock: Callable[[], float] = time) -> None:
        self.node_id = node_id
        self._seed = seed
        self._clock = clock
        rng = random.Random(seed)  # noqa: S311  believable, not secret
        self._phase = rng.uniform(0, HEARTBEAT_S)
        self._router_ms = Drift(rng, 4, 60)
        self._gateway_ms = Drift(rng, 3, 40)
        self._p95_ms = Drift(rng, 180, 620, memory_s=900)
        self._failed_rate = Drift(rng, -0.01, 0.012, memory_s=900)
        self._answer_ms = Drift(rng, 1, 25)
        self._alerts = "memory" if rng.random() < 0.1 else "postgres"

    def answer_delay_s(self) -> float:
        """How long the node takes to answer now."""
        return self._answer_ms.value(self._clock()) / 1000

    def open_incidents(self, now: float) -> int:
        """Mostly none; changes at most once in ten minutes."""
        slot = random.Random(f"{self._seed}/{now // _INCIDENT_SLOT_S}")  # noqa: S311
        return slot.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2))

    def monitor_status(self) -> dict[str, Any]:
        """The body of the runbook's `GET /monitor/status`."""
        now = self._clock()
        moment = datetime.fromtimestamp(now, UTC)
        return {
            "online": True,
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "node_id": self.node_id,
            "heartbeat_age_s": int((now + self._phase) % HEARTBEAT_S),
            "router": {"ok": True, "latency_ms": round(self._router_ms.value(now))},
            "gateway": {"ok": True, "latency_ms": round(self._gateway_ms.value(now))},
            "alerts_loop_slo": {
                "p95_ms": round(self._p95_ms.value(now)),
                "failed_rate": round(max(0.0, self._failed_rate.value(now)), 4),
            },
            "open_incidents": self.open_incidents(now),
            "backends": {
                "alerts": self._alerts,
                "audit": "auto",
                "incidents": "auto",
                "risk_history": "auto",
                "backlog": "auto",
            },
            "last_artifacts": {
                "risk_digest": moment.strftime("%Y-%m-%d"),
                "platform_digest": moment.strftime("%G-W%V"),
                "backlog": moment.strftime("%Y-%m-%d"),
            },
        }
