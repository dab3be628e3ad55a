"""Asking the node of a claim, and finding out whose fault its silence is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from django.utils import timezone

from core.metrics import PROBE_LAG, PROBE_SECONDS, PROBES
from core.policies.loader import PolicyError
from nodes import client
from nodes.client import Outcome, PathMemory, ProbeResult
from nodes.own_faults import LoopWatch, Witnesses
from nodes.policy import load_registry
from nodes.recording import Finished
from nodes.schedule import Claim

logger = logging.getLogger("sofiia.poller")

#: A time-out during which our own loop stood still for this part of the time is ours.
_STARVED_SHARE = 0.2
_WITNESSES_READ_S = 10.0

#: Executes a function somewhere off the event loop.
RunSync = Callable[..., Awaitable[Any]]


class Asker:
    """Asks nodes; remembers which path of each worked."""

    def __init__(self, run: RunSync, watch: LoopWatch | None = None) -> None:
        self._watch = watch or LoopWatch()
        self._paths = PathMemory()
        self._witnesses = Witnesses(_RegisteredWitnesses(run))

    async def ask(self, claim: Claim) -> Finished:
        """What the node of the claim answers. Always a result, whatever happens."""
        started_at = timezone.now()
        PROBE_LAG.observe(max(0.0, (started_at - claim.due_at).total_seconds()))
        starved_before = self._watch.starved_s
        try:
            result = await client.probe(claim.target, self._paths)
            if result.outcome is Outcome.UNREACHABLE:
                starved_s = self._watch.starved_s - starved_before
                result = await self._excused(result, claim, starved_s)
        except Exception:  # a defect of ours in reading what one node sent must not stop the others
            logger.exception("probe failed by itself", extra={"node_id": claim.node_id})
            result = _ours(claim.node_id, "Not probed: this console made a mistake, see its log")
        PROBES.labels(result.outcome.value).inc()
        if result.latency_ms is not None:
            PROBE_SECONDS.observe(result.latency_ms / 1000)
        return Finished(claim, result, started_at)

    async def _excused(self, result: ProbeResult, claim: Claim, starved_s: float) -> ProbeResult:
        if result.timed_out and starved_s > _STARVED_SHARE * claim.target.timeout_s:
            return _ours(claim.node_id, "Not known: this console was too busy to hear an answer")
        if await self._witnesses.all_silent():
            return _ours(claim.node_id, "Not known: this console's own network link is down")
        return result


def _ours(node_id: str, why: str) -> ProbeResult:
    return ProbeResult(node_id, Outcome.OURS, error=why)


class _RegisteredWitnesses:
    """The witnesses of the registry file, read again now and then; of a broken file, those that were read last."""

    def __init__(self, run: RunSync) -> None:
        self._run = run
        self._read_at = float("-inf")
        self._urls: Sequence[str] = ()

    async def __call__(self) -> Sequence[str]:
        if monotonic() - self._read_at > _WITNESSES_READ_S:
            self._read_at = monotonic()
            try:
                self._urls = (await self._run(load_registry)).value.witnesses
            except (PolicyError, OSError) as error:
                logger.warning("witnesses cannot be read", extra={"error": str(error)})
        return self._urls
