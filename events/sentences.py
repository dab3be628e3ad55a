"""An event in one sentence, for people, and the state whose glyph stands before it.

`static/js/lib/sentences.js` says the same in the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.formatting import STATE_GLYPHS

Data = Mapping[str, Any]

#: What has no state is found by its kind; the first part of the type decides.
_KIND_GLYPHS = {"ops": "▶", "chat": "✉", "voice": "♪", "policy": "§", "audit": "✎", "node": "✎"}
_RANK = ("offline", "degraded", "unknown", "maintenance", "online")
_RUN_STATES = {
    "succeeded": "online",
    "failed": "offline",
    "lost": "offline",
    "timed_out": "degraded",
    "cancelled": "paused",
}
_SEVERITIES = {
    "critical": "offline",
    "page": "offline",
    "warning": "degraded",
    "resolved": "online",
}
_LONGEST = 160
_MOST_NAMES = 3
_MOST_FIELDS = 6


def state_of(type_: str, data: Data) -> str:
    """The state that the event is about, `info` where it is about none; of several nodes the worst."""
    if type_ == "error":
        return "offline"
    if type_ == "nodes.status":
        changed = _changed(data)
        return _state(changed[0].get("status")) if changed else "info"
    if type_ == "ops.run":
        return _RUN_STATES.get(str(data.get("status")), "info")
    if type_ in ("alert", "incident"):
        return _SEVERITIES.get(str(data.get("severity") or data.get("status")), "info")
    return _state(data.get("status"))


def glyph(type_: str, data: Data) -> str:
    """The shape of the event's state; of what has none, a character for its kind."""
    kind = _KIND_GLYPHS.get(type_.split(".")[0], "·")
    return STATE_GLYPHS.get(state_of(type_, data), kind)


def nodes_of(node_id: str | None, data: Data) -> str:
    """The node that the event is about, or how many there are."""
    changed = _changed(data)
    if node_id or not changed:
        return node_id or ""
    return str(changed[0].get("node_id", "")) if len(changed) == 1 else f"{len(changed)} nodes"


def sentence(type_: str, data: Data, *, longest: int = _LONGEST) -> str:
    """What happened, in so many characters at most and without line breaks."""
    say = _SENTENCES.get(type_, _anything)
    try:
        text = say(data)
    except (AttributeError, KeyError, TypeError, ValueError):  # data of an unforeseen shape
        text = _anything(data)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _state(status: object) -> str:
    return status if isinstance(status, str) and status in STATE_GLYPHS else "info"


def _changed(data: Data) -> list[Mapping[str, Any]]:
    """The nodes of a cycle, worst first."""
    found = data.get("changed")
    nodes = [node for node in found if isinstance(node, Mapping)] if isinstance(found, list) else []
    return sorted(nodes, key=_rank)


def _rank(node: Mapping[str, Any]) -> int:
    status = node.get("status")
    return _RANK.index(status) if status in _RANK else len(_RANK)


def _nodes_status(data: Data) -> str:
    summary, changed = data["summary"], _changed(data)
    words = [f"{summary[state]} {state}" for state in STATE_GLYPHS if summary.get(state)]
    total = summary["total"]
    counts = f"{total} {'node' if total == 1 else 'nodes'}: {', '.join(words) or 'none'}"
    more = len(changed) - _MOST_NAMES
    named = ", ".join(map(_named, changed[:_MOST_NAMES])) + (
        f" and {more} more" if more > 0 else ""
    )
    return (f"{named}. " if changed else "") + counts + _probed(data, total)


def _named(node: Mapping[str, Any]) -> str:
    reasons = node.get("reasons")
    why = f" ({reasons[0]})" if isinstance(reasons, list) and reasons else ""
    return f"{node['node_id']} is {node['status']}{why}"


def _probed(data: Data, total: int) -> str:
    cycle = data.get("cycle") or {}
    if "probed" not in cycle:
        return ""
    failed = f", {cycle['failed']} failed" if cycle.get("failed") else ""
    # A node that is probed again within the cycle is still one node.
    return f"; {min(cycle['probed'], total)} of {total} probed{failed}"


def _node_changed(data: Data) -> str:
    change = [str(name).replace("_", " ") for name in data.get("change") or {}]
    fields = ", ".join(change[:_MOST_FIELDS]) + (" …" if len(change) > _MOST_FIELDS else "")
    what = f": {fields}" if fields and data["action"] != "created" else ""
    by = f" by {data['by']}" if data.get("by") else ""
    return f"{data['node_id']} was {data['action']}{what}{by}"


def _ops_run(data: Data) -> str:
    return f"run {data['run_id']} of {data['task']} is {data['status']}"


#: What somebody did, by action; {} is the target, {name} and {to} come from the detail.
_DEEDS = {
    "session.login": "logged in",
    "session.logout": "logged out",
    "user.first_admin": "became the first admin",
    "user.set_password": "set the password of {}",
    "user.set_role": "gave {} the role {to}",
    "user.activate": "let {} in again",
    "user.deactivate": "shut {} out",
    "apikey.create": "made the key {name}",
    "apikey.revoke": "revoked the key {name}",
    "node.create": "added the node {}",
    "node.update": "changed the node {}",
    "node.delete": "removed the node {}",
    "node.probe": "probed {}",
    "event.append": "appended events",
}
_REFUSALS = {
    "session.login": "could not log in",
    "request.refused": "was refused at {}",
    "request.suppressed": "was refused too often; more of it is not written",
}


def _audit(data: Data) -> str:
    is_refused = data["outcome"] == "refused"
    target, detail = str(data.get("target") or ""), data.get("detail") or {}
    words = (_REFUSALS if is_refused else _DEEDS).get(data["action"])
    if words is None:
        return f"{data['actor']}: {data['action']} {target}" + (
            " was refused" if is_refused else ""
        )
    more = {"name": detail.get("name") or target, "to": detail.get("to") or "?"}
    return f"{data['actor']} {words.format(target, **more)}"


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
    """What it says of itself, else every plain value with its name."""
    for key in ("summary", "message", "text", "title"):
        if isinstance(data.get(key), str) and data[key]:
            return str(data[key])
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
