"""Was it us? Before silence is held against a node: did our own loop starve, is our own link down?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from core.outbound import Purpose, errors
from core.outbound.engine import fetch

_BEAT_S = 0.05
#: Lateness that every loop has now and then.
_NORMAL_S = 0.1
_WITNESS_TIMEOUT_S = 2.0
_VERDICT_KEPT_S = 3.0
_WITNESS_BYTES = 64 * 1024


class LoopWatch:
    """Measures how long the event loop could not run: while it does not, every time-out is ours."""

    def __init__(self) -> None:
        self._starved_s = 0.0
        self._expected = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._expected = loop.time() + _BEAT_S
        self._timer = loop.call_at(self._expected, self._beat, loop)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def starved_s(self) -> float:
        """Seconds lost since the start, a stretch that is only now ending included. Compare two readings."""
        if self._timer is None:
            return self._starved_s
        return self._starved_s + _excess(asyncio.get_running_loop().time() - self._expected)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._starved_s += _excess(loop.time() - self._expected)
        self._expected = loop.time() + _BEAT_S
        self._timer = loop.call_at(self._expected, self._beat, loop)


def _excess(late_s: float) -> float:
    return late_s if late_s > _NORMAL_S else 0.0


class Witnesses:
    """Third places that are asked when a node is silent. If all of them are silent too, the fault is our link's."""

    def __init__(self, addresses: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._addresses = addresses
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._all_silent = False

    async def all_silent(self) -> bool:
        """Whether there are witnesses and none can be reached; asked at most once in three seconds."""
        async with self._asking:
            if monotonic() - self._asked_at > _VERDICT_KEPT_S:
                heard = await asyncio.gather(*map(_hears, await self._addresses()))
                evidence = [is_heard for is_heard in heard if is_heard is not None]
                self._all_silent = bool(evidence) and not any(evidence)
                self._asked_at = monotonic()
            return self._all_silent


async def _hears(url: str) -> bool | None:
    """Whether a witness can be reached, whatever it answers; None: it could not be asked, which proves nothing."""
    try:
        await fetch(
            "GET",
            url,
            purpose=Purpose.WITNESS,
            deadline_s=_WITNESS_TIMEOUT_S,
            max_bytes=_WITNESS_BYTES,
        )
    except (errors.BadResponse, errors.TlsFailed):
        return True
    except errors.PolicyRefused:
        return None
    except errors.OutboundError:
        return False
    return True
