"""What a hostile or broken node may send. Each act answers one request in its own wrong way."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

import orjson

from nodes.simulator.connection import Connection

Act = Callable[[Connection], Coroutine[Any, Any, None]]

_METADATA = "http://169.254.169.254/latest/meta-data/"
_SCRIPT = "<script>fetch('/canary')</script>"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_DRIP_S = 0.5
_BOMB_BYTES = 60_000_000


def _plain(body: bytes) -> bytes:
    return _HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


@cache
def _bomb() -> bytes:
    """About 60 kB that unpack to 60 MB."""
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(1_000_000)
    packed = b"".join(packer.compress(block) for _ in range(_BOMB_BYTES // len(block)))
    return packed + packer.flush()


def _sends(make: Callable[[], bytes]) -> Act:
    async def act(client: Connection) -> None:
        client.send(make())
        client.close()

    return act


def _body(text: str | bytes) -> Act:
    raw = text.encode() if isinstance(text, str) else text
    return _sends(lambda: _plain(raw))


def _online(fields: str) -> Act:
    """A body that begins as a good one and then goes wrong."""
    return _body('{"online":true,"heartbeat_age_s":1,' + fields + "}")


def _script_names() -> bytes:
    body = {
        "online": True,
        "node_id": _SCRIPT,
        "label": '"><img src=x onerror=alert(1)>',
        "router": {"ok": True, "latency_ms": 5, "error": _SCRIPT},
        "backends": {_SCRIPT: _SCRIPT, "alerts": "javascript:alert(1)"},
        "last_artifacts": {"risk_digest": "<svg onload=alert(1)>"},
        "status": "ok",
    }
    return _plain(orjson.dumps(body))


def _wrong_types() -> bytes:
    body = {
        "online": "yes",
        "ts": 12,
        "node_id": ["a"],
        "heartbeat_age_s": "five",
        "router": [1],
        "gateway": None,
        "alerts_loop_slo": {"p95_ms": {}, "failed_rate": "1e200000"},
        "open_incidents": -3.5,
        "backends": "postgres",
        "last_artifacts": {"risk_digest": 20260224},
    }
    return _plain(orjson.dumps(body))


async def _endless(client: Connection) -> None:
    client.send(_HEAD + b"transfer-encoding: chunked\r\n\r\n" + b'1\r\n"\r\n')
    chunk = b"4000\r\n" + b"A" * 0x4000 + b"\r\n"
    while client.is_open:
        client.send(chunk)
        await client.flush()
        await asyncio.sleep(0.005)


async def _drip(client: Connection) -> None:
    for byte in _plain(b'{"online":true,"node_id":"drip"}'):
        client.send(bytes((byte,)))
        await asyncio.sleep(_DRIP_S)
    client.close()


async def _interim_storm(client: Connection) -> None:
    while client.is_open:
        client.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
        await client.flush()
        await asyncio.sleep(0.02)


async def _reset_early(client: Connection) -> None:
    client.send(_HEAD + b"content-len")
    await asyncio.sleep(0)
    client.reset()


async def _reset_at_once(client: Connection) -> None:
    client.reset()


#: By name; a hostile node performs them in this order, one with every request.
ACTS: dict[str, Act] = {
    "nan": _online('"alerts_loop_slo":{"p95_ms":NaN,"failed_rate":-Infinity}'),
    "huge_int": _online('"open_incidents":' + "9" * 5000),
    "huge_float": _online('"heartbeat_age":1e400'),
    "int64": _online('"open_incidents":9223372036854775808'),
    "deep": _body("[" * 100_000 + "]" * 100_000),
    "megabyte": _online('"padding":"' + "x" * 1_000_000 + '"'),
    "endless": _endless,
    "gzip_bomb": _sends(
        lambda: (
            _HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_bomb()) + _bomb()
        )
    ),
    "redirect": _sends(
        lambda: f"HTTP/1.1 302 Found\r\nlocation: {_METADATA}\r\ncontent-length: 0\r\n\r\n".encode()
    ),
    "wrong_types": _sends(_wrong_types),
    "script_names": _sends(_script_names),
    "crlf": _sends(
        lambda: (
            _HEAD + b"x-node: a\r\n set-cookie: b=1\r\nx-bad: a\x00b\r\ncontent-length: 2\r\n\r\n{}"
        )
    ),
    "crlf_names": _online('"status":"ok\\r\\nset-cookie: a=b","label":"a\\u0000b\\u2028c"'),
    "reset": _reset_early,
    "reset_at_once": _reset_at_once,
    "drip": _drip,
    "length_too_long": _sends(lambda: _HEAD + b'content-length: 5000\r\n\r\n{"online":true}'),
    "length_too_short": _sends(lambda: _HEAD + b'content-length: 5\r\n\r\n{"online":true}'),
    "length_twice": _sends(lambda: _HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{} "),
    "length_negative": _sends(lambda: _HEAD + b"content-length: -1\r\n\r\n{}"),
    "chunk_cut": _sends(lambda: _HEAD + b'transfer-encoding: chunked\r\n\r\n20\r\n{"online"'),
    "interim_storm": _interim_storm,
    "big_headers": _sends(lambda: _HEAD + b"x-pad: " + b"p" * 100_000 + b"\r\n\r\n{}"),
    "duplicate_keys": _online('"online":false,"online":true'),
    "surrogate": _online('"label":"\\ud800"'),
    "bom": _body(b"\xef\xbb\xbf" + b'{"online":true}'),
    "utf16": _body('{"online":true}'.encode("utf-16")),
    "list": _body('[{"online":true}]'),
    "null": _body("null"),
    "html": _sends(lambda: _plain(f"<html>{_SCRIPT}</html>".encode())),
    "empty": _body(b""),
    "not_http": _sends(lambda: b"SSH-2.0-OpenSSH_9.2\r\n"),
}
