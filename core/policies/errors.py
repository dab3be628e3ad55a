"""What is wrong with a policy file, told by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: lines and columns count from 1."""

    line: int
    column: int
    message: str


class PolicyError(ValueError):
    """A policy file cannot be used.

    `str()` has one line per fault, each `file:line:column: what was expected`; `line`, `column` and `message` are those
    of the first one. Values of the file are never shown (one might be a secret), only its keys.
    """

    def __init__(self, path: str, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(faults)
        self.line = faults[0].line
        self.column = faults[0].column
        self.message = faults[0].message
        super().__init__(
            "\n".join(f"{path}:{item.line}:{item.column}: {item.message}" for item in faults)
        )


def shown(key: str) -> str:
    """A key in quotes, shortened, with everything that is not printable as an escape."""
    cut = key if len(key) <= 64 else key[:64] + "…"
    safe = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)
    return f'"{safe}"'
