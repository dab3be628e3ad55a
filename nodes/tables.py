"""Nodes on a terminal: the same glyphs and words as everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.formatting import STATE_GLYPHS, absolute, ago, milliseconds
from nodes.presentation import setting_text
from nodes.queries import Fleet, NodeView
from nodes.uptimes import Figure, figures


def state_word(view: NodeView) -> str:
    """The status, or `paused`."""
    return "paused" if view.paused else view.status


def marked(view: NodeView) -> str:
    """Glyph and word: `● online`."""
    word = state_word(view)
    return f"{STATE_GLYPHS[word]} {word}"


def source(view: NodeView) -> str:
    """Who declares the node: the file (`yaml`), an operator (`admin`), or the file with an operator's edits."""
    if view.row.declared is None:
        return "admin"
    return "yaml + admin" if view.row.overrides else "yaml"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as what is in them."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def fleet_table(fleet: Fleet) -> str:
    """The fleet, worst first, and its numbers in a last line."""
    if not fleet.nodes:
        return "No nodes yet. Add them to nodes_registry.yml and run: manage.py nodes sync"
    rows = (
        (
            marked(view),
            view.node.node_id,
            view.node.label,
            view.headline,
            ago(view.age_s),
            view.node.probe_url or "–",
            source(view),
        )
        for view in fleet.nodes
    )
    head = ("STATE", "NODE", "LABEL", "WHAT", "PROBED", "ADDRESS", "FROM")
    return f"{table(head, rows)}\n\n{summary_line(fleet)}"


def summary_line(fleet: Fleet) -> str:
    """`12 nodes: 10 ● online, 1 ■ offline`."""
    counts = ", ".join(
        f"{count} {STATE_GLYPHS[word]} {word}"
        for word, count in fleet.summary.items()
        if word != "total" and count
    )
    total = fleet.summary["total"]
    return f"{total} node{'' if total == 1 else 's'}" + (f": {counts}" if counts else "")


def node_table(view: NodeView) -> str:
    """Everything that is set for a node with its source, below what is known of it."""
    lines = [f"{marked(view)}  {view.node.node_id}  {view.node.label}", view.headline]
    lines += [reason for reason in view.reasons if reason not in view.headline]
    lines += [f"⚠ {warning}" for warning in view.warnings]
    lines += [view.hint] if view.hint else []
    rows = (
        (name, setting_text(name, sourced.value), sourced.source)
        for name, sourced in view.node.fields.items()
    )
    known = table(("KNOWN", "", ""), ((name, value, "") for name, value in _known(view)))
    return "\n".join([*lines, "", known, "", table(("FIELD", "VALUE", "FROM"), rows)])


def _known(view: NodeView) -> list[tuple[str, str]]:
    """What the probes found, and since when."""
    state = view.state
    seen = "never" if state.last_seen_at is None else absolute(state.last_seen_at)
    return [
        ("latency", milliseconds(state.latency_ms)),
        ("asked by", state.source),
        ("last seen", seen),
        ("in this state since", absolute(state.since)),
        ("failed in a row", str(state.failures)),
        ("uptime", ", ".join(_uptime(figure) for figure in figures(view))),
    ]


def _uptime(figure: Figure) -> str:
    since = f" since {figure.since} ago" if figure.since else ""
    return f"{figure.window} {figure.share}{since}"
