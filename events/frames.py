"""Events as they go over the wire: each is encoded once per process and shared by all who get it."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import orjson

#: id, ts, type, node_id, project_id, session_id, user_id, data
Row = tuple[int, datetime, str, str | None, str, str | None, str | None, str]

_UNREADABLE = {"code": "unreadable", "detail": "what was stored of this event cannot be read"}


class Frame:
    """One stored event, encoded: `message` for a WebSocket, `sse` for a stream of server-sent events."""

    __slots__ = ("_mentions", "_sse", "_wire", "id", "message", "node_id", "size", "type")

    def __init__(self, row: Row) -> None:
        text, mentions = _encode(row)
        self.id = row[0]
        self.type = row[2]
        self.node_id = row[3]
        self.message = {"type": "websocket.send", "text": text}
        self.size = len(text)
        self._mentions = mentions
        self._sse: dict[str, Any] | None = None
        self._wire: bytes | None = None

    @property
    def text(self) -> str:
        """The JSON object of the contract."""
        return self.message["text"]

    @property
    def wire(self) -> bytes:
        """The text frame of RFC 6455 as a server sends it: whole, unmasked, uncompressed."""
        if self._wire is None:
            payload = self.text.encode()
            self._wire = _frame_head(len(payload)) + payload
        return self._wire

    @property
    def sse(self) -> dict[str, Any]:
        """The frame as a chunk of `text/event-stream`."""
        if self._sse is None:
            chunk = f"id: {self.id}\nevent: {self.type}\ndata: {self.text}\n\n".encode()
            self._sse = {"type": "http.response.body", "body": chunk, "more_body": True}
        return self._sse

    def concerns(self, node_id: str) -> bool:
        """Whether the event is about this node: by itself, or as one of those that a poll cycle changed."""
        return self.node_id == node_id or node_id in self._mentions


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`. A moment without a zone is UTC, as SQLite keeps it."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def now() -> str:
    """The present as `stamp`."""
    return stamp(datetime.now(UTC))


def _frame_head(length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", 0x81, length)
    if length < 65_536:
        return struct.pack("!BBH", 0x81, 126, length)
    return struct.pack("!BBQ", 0x81, 127, length)


def readable(data: str) -> dict[str, Any]:
    """What was stored of an event, or a placeholder where somebody wrote by hand what is no JSON object."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else dict(_UNREADABLE)


def _encode(row: Row) -> tuple[str, frozenset[str]]:
    """The frame's text with the stored JSON spliced in, and the nodes that it mentions.

    The JSON is read once to be sure of it (1 µs for 300 bytes): one row that somebody wrote by hand must not break the
    stream of every client.
    """
    event_id, ts, type_, node_id, project_id, session_id, user_id, data = row
    value = readable(data)
    if value == _UNREADABLE:
        data = orjson.dumps(value).decode()
    mentions = _changed_nodes(value.get("changed")) if type_ == "nodes.status" else frozenset()
    if (
        "\n" in data or "\r" in data
    ):  # white space of JSON, but the end of a line of server-sent events
        data = data.replace("\n", " ").replace("\r", " ")
    text = (
        f'{{"v":1,"id":{event_id},"type":{_json(type_)},"ts":"{stamp(ts)}","node_id":{_json(node_id)},'
        f'"project_id":{_json(project_id)},"session_id":{_json(session_id)},"user_id":{_json(user_id)},'
        f'"data":{data}}}'
    )
    return text, mentions


def _changed_nodes(changed: object) -> frozenset[str]:
    if not isinstance(changed, list):
        return frozenset()
    names = (item.get("node_id") for item in changed if isinstance(item, dict))
    return frozenset(name for name in names if isinstance(name, str))


def _json(value: str | None) -> str:
    return "null" if value is None else orjson.dumps(value).decode()


def hello(last_id: int, oldest_id: int, log_id: str) -> dict[str, Any]:
    """The first frame of every stream."""
    data = {"last_id": last_id, "oldest_id": oldest_id, "log_id": log_id}
    return {"type": "hello", "id": None, "data": data}


def error(code: str, detail: str, **more: Any) -> dict[str, Any]:
    """A frame that says what the console did not understand or cannot give."""
    data = {"code": code, "detail": detail, **more}
    return {"v": 1, "id": None, "type": "error", "ts": now(), "data": data}


def gap(oldest_id: int, reason: str = "pruned", **more: Any) -> dict[str, Any]:
    """Events are missing at this point of the stream, and why."""
    words = {
        "pruned": "events after the requested id are no longer kept",
        "ahead": "the requested id is beyond the newest event; the stream starts now",
        "invalid": "the requested id is not a number of an event; the stream starts now",
    }
    return error("gap", words[reason], oldest_id=oldest_id, reason=reason, **more)


def cursor(position: int) -> dict[str, Any]:
    """Everything up to here has been considered for this stream."""
    return {"type": "cursor", "id": position}
