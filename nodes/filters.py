"""What of the fleet a page shows: read from the URL and written back to it, so that every view can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from nodes.models import Status
from nodes.queries import NodeView

STATES = (*Status.values, "paused")
_MAX_TEXT = 80
_LAST = float("inf")

_Key = Callable[[NodeView], object]
SORTS: Mapping[str, _Key] = {
    "node": lambda view: view.node.node_id.lower(),
    "latency": lambda view: _number(view.state.latency_ms, _LAST),
    "since": lambda view: -view.state.since.timestamp(),
    "uptime": lambda view: _number(view.uptime.get("24h"), _LAST),
    "seen": lambda view: _number(view.age_s, _LAST),
}


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else value


@dataclass(frozen=True, slots=True)
class Filters:
    """The query of the wall. Empty fields filter nothing; an empty `sort` is worst first."""

    status: str = ""
    env: str = ""
    tag: str = ""
    text: str = ""
    view: str = "wall"
    sort: str = ""

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
        if self.sort:
            key = SORTS[self.sort.removeprefix("-")]
            shown.sort(key=key, reverse=self.sort.startswith("-"))  # type: ignore[arg-type]
        return shown

    def _matches(self, view: NodeView) -> bool:
        if self.status and self.status != ("paused" if view.paused else view.status):
            return False
        if self.env and view.node.env != self.env:
            return False
        if self.tag and self.tag not in view.node.tags:
            return False
        return not self.text or self.text.lower() in _searchable(view)


def _searchable(view: NodeView) -> str:
    node = view.node
    return " ".join(
        [node.node_id, node.label, node.role, node.env, *node.tags, view.headline]
    ).lower()
