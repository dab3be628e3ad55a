"""The `defaults` block of the registry file, as this process last read it.

Every process needs it, also one that never writes the registry into the database, and it may change while they run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings

from core.policies.loader import Loaded, PolicyError
from nodes.policy import NodesRegistry, load_registry

logger = logging.getLogger("nodes.registry")

#: How often the file's date is looked at. The scheduler looks as often.
LOOK_EVERY_S = 5.0

Stamp = tuple[Path, int, int] | None


class _FileDefaults:
    """The values, the file that they are of, and when that was looked at."""

    def __init__(self) -> None:
        self.values: Mapping[str, Any] = MappingProxyType({})
        self.stamp: Stamp = None
        self.look_at = 0.0

    def current(self) -> Mapping[str, Any]:
        """The values, read again when another file is there. A broken file leaves the ones before it in force."""
        now = time.monotonic()
        if now < self.look_at and self.stamp and self.stamp[0] == settings.CONFIG_DIR:
            return self.values
        self.look_at = now + LOOK_EVERY_S
        stamp = _stamp()
        if stamp != self.stamp:
            self.stamp = stamp
            self._read()
        return self.values

    def take(self, loaded: Loaded[NodesRegistry]) -> None:
        """The values of a file that was just read."""
        given = loaded.value.defaults.model_dump(mode="json", exclude_unset=True)
        self.values = MappingProxyType(given)

    def _read(self) -> None:
        try:
            self.take(load_registry())
        except PolicyError as exc:
            logger.warning("registry file not usable", extra={"fault": str(exc)})


def _stamp() -> Stamp:
    directory = settings.CONFIG_DIR
    if directory is None:
        return None
    try:
        stat = (directory / "nodes_registry.yml").stat()
    except OSError:
        return directory, 0, 0
    return directory, stat.st_mtime_ns, stat.st_size


_file = _FileDefaults()
current = _file.current
take = _file.take
