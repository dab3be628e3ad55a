"""What one stream wants to see, and what it may."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.access.principals import Principal, Right
from events.frames import Frame

TYPE = re.compile(r"[a-z][a-z0-9_.]{0,47}")
NODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: Only for those with the right `admin`.
RESTRICTED = frozenset({"audit"})
MAX_TYPES = 64


class BadFilter(ValueError):
    """The filter cannot be understood; the text is safe to show."""


@dataclass(frozen=True, slots=True)
class Filter:
    """None of `types` = every type, none of `node` = every node. Types that the stream may not see are `hidden`."""

    types: frozenset[str] | None = None
    node: str | None = None
    hidden: frozenset[str] = RESTRICTED

    @property
    def passes_all(self) -> bool:
        """Whether nothing at all is held back."""
        return self.types is None and self.node is None and not self.hidden

    def wants(self, frame: Frame) -> bool:
        """Whether the frame belongs into the stream."""
        if frame.type in self.hidden:
            return False
        if self.types is not None and frame.type not in self.types:
            return False
        return self.node is None or frame.concerns(self.node)


def filter_for(principal: Principal, types: Iterable[str] | None, node: str | None) -> Filter:
    """The filter that was asked for, within what the principal may see. Raises BadFilter."""
    chosen = None if types is None else frozenset(types)
    if chosen is not None and len(chosen) > MAX_TYPES:
        raise BadFilter(f"at most {MAX_TYPES} types")
    if chosen is not None and not all(TYPE.fullmatch(name) for name in chosen):
        raise BadFilter("a type is made of a-z, 0-9, _ and ., and has at most 48 characters")
    if node is not None and not NODE.fullmatch(node):
        raise BadFilter("a node is named by letters, digits, _, - and ., at most 64")
    return Filter(types=chosen, node=node, hidden=hidden_from(principal))


def hidden_from(principal: Principal) -> frozenset[str]:
    """The types that the principal may not see. The audit always needs credentials, on a dev console too."""
    is_admin = principal.kind != "anonymous" and principal.has(Right.ADMIN)
    return frozenset() if is_admin else RESTRICTED
