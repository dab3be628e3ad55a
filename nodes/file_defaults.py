"""The `defaults` block of the registry file, as this process last read it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_current: Mapping[str, Any] = MappingProxyType({})


def current() -> Mapping[str, Any]:
    """The defaults that the file gives; empty until it was read."""
    return _current


def remember(defaults: Mapping[str, Any]) -> None:
    """Take over the defaults of a file that was just read and found good."""
    global _current
    _current = MappingProxyType(dict(defaults))
