"""The newest frames, kept for clients that are a little behind."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from events.frames import Frame

MAX_FRAMES = 2048
#: A frame of a whole fleet's state may be large: memory is bounded by bytes as well.
MAX_BYTES = 16 * 1024 * 1024


class Ring:
    """Every stored event with `floor` < id <= `top`, in order."""

    def __init__(self, floor: int = 0) -> None:
        self.floor = floor
        self.top = floor
        self._ids: list[int] = []
        self._frames: list[Frame] = []
        self._bytes = 0

    def extend(self, frames: Sequence[Frame]) -> None:
        """Add what comes right after `top`, and forget the oldest beyond the limits."""
        if not frames:
            return
        self._ids.extend(frame.id for frame in frames)
        self._frames.extend(frames)
        self._bytes += sum(frame.size for frame in frames)
        self.top = self._ids[-1]
        self._trim()

    def after(self, cursor: int, limit: int) -> list[Frame] | None:
        """The next frames after the cursor; None when they are no longer all here."""
        if cursor < self.floor:
            return None
        start = bisect_right(self._ids, cursor)
        return self._frames[start : start + limit]

    def _trim(self) -> None:
        """In steps of an eighth: cutting the front of a list costs its length."""
        excess, size = len(self._frames) - MAX_FRAMES, self._bytes
        if excess < MAX_FRAMES // 8 and size <= MAX_BYTES:
            return
        cut = max(excess, 0)
        size -= sum(frame.size for frame in self._frames[:cut])
        while size > MAX_BYTES and cut < len(self._frames):
            size -= self._frames[cut].size
            cut += 1
        self.floor = self._ids[cut - 1]
        self._bytes = size
        del self._ids[:cut], self._frames[:cut]
