"""The poller: claims due nodes, asks them side by side, and hands what it finds to one writer.

A node that hangs costs one slot of `CONCURRENCY` and nobody else's time. The database may fail for a while: results wait, no
new claims are made, and what is shown of the nodes grows stale, which is the truth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone

from nodes.announcer import Announcer
from nodes.asker import Asker, RunSync
from nodes.buckets import Mark
from nodes.database_thread import DatabaseThread
from nodes.judge import Verdict
from nodes.models import NodeState
from nodes.own_faults import LoopWatch
from nodes.recording import Cycle, Finished, announce, record_results
from nodes.schedule import WORKER_ID, Claim, claim_all, claim_due, claim_node, release

logger = logging.getLogger("sofiia.poller")

CONCURRENCY = 256
TICK_S = 0.2
BATCH = 200
#: How long a result may wait for others to be written with it.
BATCH_S = 0.1
RETRY_S = 1.0
#: At the stop: what probes in flight may still take, and the last writes.
_FINISH_S = 0.7
_LAST_WRITES_S = 0.9
_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.05
#: The database is away: the same call may succeed later. Any other error is about the data.
_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class CycleResult:
    """One round of probes. `duration_ms` is from its beginning to its last result."""

    last_cycle_at: datetime
    interval_s: float
    probed: int
    failed: int
    duration_ms: int


_last_cycle: CycleResult | None = None


def last_cycle() -> CycleResult | None:
    """The round that this process finished last; None: none yet."""
    return _last_cycle


async def run_poller(stop: asyncio.Event, *, concurrency: int = CONCURRENCY) -> None:
    """Probe the fleet until `stop` is set; then end within two seconds, with every finished result written."""
    database = DatabaseThread("poller")
    try:
        await Poller(database.run, concurrency).run(stop)
    finally:
        await database.close(within_s=0.3)


async def poll_once(*, concurrency: int = CONCURRENCY) -> CycleResult:
    """Probe every node once, now, paused ones left out, and append the `nodes.status` event of the round."""
    asker, announcer, count = Asker(_in_thread), Announcer(), _Round()
    claims = iter(await _in_thread(claim_all, WORKER_ID, timezone.now()))
    finished: list[Finished] = []

    async def work() -> None:
        for claim in claims:  # one iterator for all: each takes the next
            finished.append(await asker.ask(claim))  # noqa: PERF401  what is found counts at once

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    for first in range(0, len(finished), BATCH):
        batch = finished[first : first + BATCH]
        count.add(await _in_thread(record_results, batch, announcer))
    cycle = count.end()
    await _in_thread(announce, announcer, cycle)
    return _remember(cycle)


async def probe_now(node_id: str) -> None:
    """Probe one node at once and write the result down, whatever its schedule says; paused nodes too.

    While somebody else is probing it, that result is waited for instead. An unknown id is no error: nothing happens.
    """
    claim = await _in_thread(claim_node, node_id, WORKER_ID, timezone.now())
    if claim is None:
        give_up_at = monotonic() + _PATIENCE_S
        # Another process may be the one that probes it, so there is nothing to wait for but the row.
        while monotonic() < give_up_at and await _in_thread(_is_being_probed, node_id):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_S)
        return
    finished = await Asker(_in_thread).ask(claim)
    await _in_thread(record_results, [finished], Announcer())


def _is_being_probed(node_id: str) -> bool:
    return NodeState.objects.filter(pk=node_id, claimed_until__gt=timezone.now()).exists()


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Django's own way into a thread, for what belongs to a request or a command."""
    return await sync_to_async(function)(*args)


def _remember(cycle: Cycle) -> CycleResult:
    global _last_cycle
    interval_s = settings.ENVIRONMENT.poll_interval_s
    _last_cycle = CycleResult(
        timezone.now(), interval_s, cycle.probed, cycle.failed, cycle.duration_ms
    )
    return _last_cycle


class _Round:
    """Counts the results of one round."""

    def __init__(self) -> None:
        self.began_at = self._last_at = monotonic()
        self._probed = self._failed = 0

    def add(self, verdicts: Sequence[Verdict]) -> None:
        """Results that were written."""
        self._probed += len(verdicts)
        self._failed += sum(verdict.mark is Mark.FAILED for verdict in verdicts)
        self._last_at = monotonic()

    def end(self) -> Cycle:
        """The totals."""
        return Cycle(self._probed, self._failed, int((self._last_at - self.began_at) * 1000))


class Poller:
    """The endless part; `run` executes database functions somewhere off the event loop."""

    def __init__(self, run: RunSync, concurrency: int = CONCURRENCY) -> None:
        self._run = run
        self._concurrency = concurrency
        self._watch = LoopWatch()
        self._asker = Asker(run, self._watch)
        self._announcer = Announcer()
        self._probing: dict[asyncio.Task[None], Claim] = {}
        self._results: list[Finished] = []
        self._arrived = asyncio.Event()
        self._is_closing = False
        self._is_database_away = False
        self._round = _Round()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        self._watch.start()
        writing = asyncio.create_task(self._write_for_ever())
        try:
            while not stop.is_set():
                await self._claim_due()
                await _wait(stop, RETRY_S if self._is_database_away else TICK_S)
        finally:
            await self._finish(writing)
            self._watch.stop()

    async def _claim_due(self) -> None:
        """Fill the free slots. Results that wait for the database go first: a new claim would outdate them."""
        free = self._concurrency - len(self._probing)
        if free <= 0 or (self._is_database_away and self._results):
            return
        try:
            claims = await self._run(claim_due, free, WORKER_ID, timezone.now())
        except Exception as error:  # the loop goes on, whatever the database does
            self._note_trouble("claims", error)
            return
        self._note_recovery()
        for claim in claims:
            task = asyncio.create_task(self._probe(claim))
            self._probing[task] = claim

    async def _probe(self, claim: Claim) -> None:
        self._results.append(await self._asker.ask(claim))
        self._arrived.set()
        task = asyncio.current_task()
        if task is not None:
            self._probing.pop(task, None)

    async def _write_for_ever(self) -> None:
        """Write results in batches and end rounds, until everything is written after the stop."""
        while not (self._is_closing and not self._results):
            await _wait(self._arrived, TICK_S)
            self._arrived.clear()
            if self._results and len(self._results) < BATCH and not self._is_closing:
                await asyncio.sleep(BATCH_S)
            try:
                await self._write_batch()
                await self._announce()
            except _AWAY as error:
                self._note_trouble("writes", error)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # as above: logged, and the next batch gets its turn
                self._note_trouble("writes", error)
                await asyncio.sleep(BATCH_S)

    async def _write_batch(self) -> None:
        """Write what waits; it leaves the queue only when it is committed or can never be written."""
        batch = self._results[:BATCH]
        if not batch:
            return
        try:
            self._round.add(await self._run(record_results, batch, self._announcer))
        except _AWAY:
            raise
        except Exception:
            logger.exception("batch cannot be written; trying its results one by one")
            await self._write_singly(batch)
        del self._results[: len(batch)]
        self._note_recovery()

    async def _write_singly(self, batch: Sequence[Finished]) -> None:
        """One result that the database refuses must not cost the others theirs."""
        for finished in batch:
            try:
                self._round.add(await self._run(record_results, [finished], self._announcer))
            except _AWAY:
                raise
            except Exception:
                logger.exception(
                    "result cannot be written", extra={"node_id": finished.claim.node_id}
                )

    async def _announce(self) -> None:
        """The event of a round that is over, else of changes that had to wait."""
        if monotonic() - self._round.began_at < settings.ENVIRONMENT.poll_interval_s:
            if self._announcer.is_due():
                await self._run(announce, self._announcer)
            return
        cycle = self._round.end()
        if cycle.probed:
            await self._run(announce, self._announcer, cycle)
        _remember(cycle)
        self._round = _Round()

    async def _finish(self, writing: asyncio.Task[None]) -> None:
        """Let short probes end, take back the claims of the others, write everything."""
        if self._probing:
            await asyncio.wait(self._probing, timeout=_FINISH_S)
        abandoned = list(self._probing.values())
        for task in self._probing:
            task.cancel()
        self._is_closing = True
        self._arrived.set()
        _done, late = await asyncio.wait([writing], timeout=_LAST_WRITES_S)
        for task in late:
            logger.error("results could not be written", extra={"results": len(self._results)})
            task.cancel()
        if abandoned and not late:
            try:
                async with asyncio.timeout(_LAST_WRITES_S):
                    await self._run(release, abandoned)
            except (DatabaseError, TimeoutError) as error:
                self._note_trouble("releases", error)

    def _note_trouble(self, what: str, error: Exception) -> None:
        """Log the beginning of a trouble once, not every attempt."""
        if not self._is_database_away:
            logger.error(
                "poller %s fail", what, extra={"error": f"{type(error).__name__}: {error}"}
            )
        self._is_database_away = True

    def _note_recovery(self) -> None:
        if self._is_database_away:
            logger.warning("poller is back")
        self._is_database_away = False


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event or the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
