"""When a flapping node is away."""

from __future__ import annotations

import random
from collections.abc import Iterator


def stretches(seed: int, pace: float = 1.0) -> Iterator[tuple[float, float]]:
    """Endless pairs (seconds up, seconds away); the same for the same seed. `pace` 2 is twice as fast."""
    rng = random.Random(seed)  # noqa: S311  believable, not secret
    while True:
        yield rng.uniform(40, 120) / pace, rng.uniform(20, 70) / pace
