"""What this process is doing: since when it lives, and whether it is going."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Lifecycle:
    """Shared by the server command and the readiness answer."""

    started: float = field(default_factory=time.monotonic)
    draining: bool = False

    @property
    def uptime_s(self) -> float:
        """Seconds since the process began, to a tenth."""
        return round(time.monotonic() - self.started, 1)


LIFECYCLE = Lifecycle()
