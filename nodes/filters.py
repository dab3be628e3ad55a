"""What of the fleet a page shows: read from the URL and written back to it, so that every view can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from nodes.models import Status
from nodes.presentation import is_calm, shows_latency, state_of
from nodes.queries import NodeView

STATES = (*Status.values, "paused")
_MAX_TEXT = 80
#: From this many nodes on those that are online are folded into one line each.
FOLDED_FROM = 41
_CALM = frozenset({"online", "paused"})

_Key = Callable[[NodeView], Any]
#: What a column sorts by; None stands last in either direction.
SORTS: Mapping[str, _Key] = {
    "node": lambda view: view.node.node_id.lower(),
    "latency": lambda view: view.state.latency_ms if shows_latency(view) else None,
    "since": lambda view: -view.state.since.timestamp(),
    "uptime": lambda view: view.uptime.get("24h"),
    "seen": lambda view: _age(view.state.last_seen_at, view.now),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The query of the wall. Empty fields filter nothing; an empty `sort` is worst first."""

    status: str = ""
    env: str = ""
    tag: str = ""
    text: str = ""
    view: str = "wall"
    sort: str = ""
    size: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """From the parameters of a request; what is not understood is left out."""
        status = query.get("status", "")
        sort = query.get("sort", "")
        return cls(
            status=status if status in STATES else "",
            env=query.get("env", "")[:_MAX_TEXT],
            tag=query.get("tag", "")[:_MAX_TEXT],
            text=query.get("q", "").strip()[:_MAX_TEXT],
            view="table" if query.get("view") == "table" else "wall",
            sort=sort if sort.removeprefix("-") in SORTS else "",
            size="large" if query.get("size") == "large" else "",
        )

    @property
    def any(self) -> bool:
        """Whether anything is left out."""
        return bool(self.status or self.env or self.tag or self.text)

    def link(self, **changes: str) -> str:
        """The address of the wall with some fields changed."""
        changed = replace(self, **changes)
        pairs = {
            "status": changed.status,
            "env": changed.env,
            "tag": changed.tag,
            "q": changed.text,
            "view": changed.view if changed.view != "wall" else "",
            "sort": changed.sort,
            "size": changed.size,
        }
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/ui/?{query}" if query else "/ui/"

    def sort_link(self, column: str) -> str:
        """The address that sorts by the column, or turns its order round."""
        return self.link(sort=f"-{column}" if self.sort == column else column)

    def sorted_as(self, column: str) -> str:
        """`ascending`, `descending` or `none`, for aria-sort."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "none")

    def apply(self, views: Iterable[NodeView]) -> list[NodeView]:
        """The nodes to show, in order."""
        shown = [view for view in views if self._matches(view)]
        if not self.sort:
            return _newest_trouble_first(shown)
        key = SORTS[self.sort.removeprefix("-")]
        known = [view for view in shown if key(view) is not None]
        known.sort(key=key, reverse=self.sort.startswith("-"))
        return known + [view for view in shown if key(view) is None]

    def can_fold(self, count: int) -> bool:
        """Whether a wall of this many tiles has the online ones folded, unless all are asked for large."""
        return self.view == "wall" and not self.sort and count >= FOLDED_FROM

    def _matches(self, view: NodeView) -> bool:
        if self.status and self.status != state_of(view):
            return False
        if self.env and view.node.env != self.env:
            return False
        if self.tag and self.tag not in view.node.tags:
            return False
        return not self.text or self.text.lower() in _searchable(view)


def _newest_trouble_first(views: list[NodeView]) -> list[NodeView]:
    """Worst first as they come; within a state what began last, calm nodes by name after those with a warning."""
    ranks: dict[str, int] = {}
    for view in views:
        ranks.setdefault(state_of(view), len(ranks))

    def place(view: NodeView) -> tuple[int, float]:
        state = state_of(view)
        within = float(is_calm(view)) if state in _CALM else -view.state.since.timestamp()
        return ranks[state], within

    return sorted(views, key=place)


def _age(when: datetime | None, now: datetime) -> float | None:
    return None if when is None else (now - when).total_seconds()


def _searchable(view: NodeView) -> str:
    node = view.node
    return " ".join(
        [node.node_id, node.label, node.role, node.env, *node.tags, view.headline]
    ).lower()
