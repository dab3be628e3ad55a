"""An event in one sentence, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]

#: One glyph per kind of event; the first part of the type decides.
_GLYPHS = {
    "nodes": "●",
    "node": "◆",
    "ops": "▶",
    "chat": "✉",
    "voice": "♪",
    "alert": "▲",
    "incident": "▲",
    "policy": "§",
    "audit": "✎",
    "error": "✗",
}
_LONGEST = 160


def glyph(type_: str) -> str:
    """A character to find kinds of events by."""
    return _GLYPHS.get(type_.split(".")[0], "·")


def sentence(type_: str, data: Data) -> str:
    """What happened, in at most 160 characters and without line breaks."""
    say = _SENTENCES.get(type_, _anything)
    try:
        text = say(data)
    except (AttributeError, KeyError, TypeError, ValueError):  # data of an unforeseen shape
        text = _anything(data)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _nodes_status(data: Data) -> str:
    summary = data["summary"]
    words = [f"{summary[key]} {key}" for key in ("online", "degraded", "offline", "unknown")]
    changed = [f"{node['node_id']} is {node['status']}" for node in data.get("changed", [])]
    return f"{', '.join(words)} of {summary['total']}" + (
        f": {', '.join(changed)}" if changed else ""
    )


def _node_changed(data: Data) -> str:
    fields = ", ".join(data.get("change") or {})
    what = f" ({fields})" if fields else ""
    return f"{data['node_id']} was {data['action']}{what} by {data['by']}"


def _ops_run(data: Data) -> str:
    return f"run {data['run_id']} of {data['task']} is {data['status']}"


def _audit(data: Data) -> str:
    refused = " was refused" if data["outcome"] == "refused" else ""
    target = f" {data['target']}" if data.get("target") else ""
    return f"{data['actor']}: {data['action']}{target}{refused}"


def _chat(data: Data) -> str:
    return str(data["text"])


def _voice(data: Data) -> str:
    elapsed = data.get("elapsed_ms")
    return f"{data['phase']}" + (f" after {elapsed} ms" if elapsed is not None else "")


def _error(data: Data) -> str:
    said = data.get("detail") or data.get("message") or ""
    return f"{data['code']}: {said}" if said else str(data["code"])


def _policy_changed(data: Data) -> str:
    return f"policy {data['policy']} was changed"


def _anything(data: Data) -> str:
    """Every plain value with its name."""
    return ", ".join(
        f"{key} {value}" for key, value in data.items() if isinstance(value, str | int | float)
    )


_SENTENCES: dict[str, Callable[[Data], str]] = {
    "nodes.status": _nodes_status,
    "node.changed": _node_changed,
    "ops.run": _ops_run,
    "audit": _audit,
    "chat.message": _chat,
    "chat.reply": _chat,
    "voice.stt": _voice,
    "voice.tts": _voice,
    "error": _error,
    "policy.changed": _policy_changed,
}
