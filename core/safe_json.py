"""JSON that came from outside: read it without being hurt, write it so that everybody can read it.

orjson does the work. It refuses by itself NaN and Infinity, numbers beyond a double (1e400), bytes that are not UTF-8,
lone surrogates, a byte order mark and more than 1,024 levels. What it lets through is caught afterwards: more levels than
asked for, integers outside signed 64 bit (it rounds them to floats), NUL in strings, and keys that are given twice.

For a body without anything odd this costs under 3 times `orjson.loads` alone (6 µs for 862 bytes), because the checks are
searches over bytes; the tree is walked only when one of them finds something that could be wrong.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import orjson

MAX_BYTES = 262_144
MAX_DEPTH = 32
#: orjson cannot write more levels than this, and the check for duplicate keys writes.
DEEPEST = 200
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_ESCAPED_NUL = b"\\u0000"
_ESCAPED_COLON = b"\\u003"
#: Every digit as 0: a search for 19 zeros then finds the numbers that might not fit 64 bit, ten times faster than a regex.
_AS_ZEROS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else byte for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19
_WRITE = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class UnsafeJson(ValueError):
    """These bytes are not JSON that we take; `reason` says why, in words that are safe to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value of one JSON document.

    What comes out can be stored by every database and written again by `dumps`. `max_depth` counts nested arrays and
    objects (a bare number has depth 0) and is at most 200. Raises UnsafeJson.
    """
    if len(data) > max_bytes:
        raise UnsafeJson(f"is longer than {max_bytes} bytes")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise UnsafeJson(_explain(data, exc, max_depth)) from None
    far_number = _NINETEEN_DIGITS in data.translate(_AS_ZEROS)
    max_depth = max_depth if max_depth < DEEPEST else DEEPEST
    deep = data.count(b"[") + data.count(b"{") > max_depth
    escapes = b"\\" in data
    if far_number or deep or (escapes and _ESCAPED_NUL in data):
        _inspect(value, data, max_depth, far_number)
    if (escapes and _ESCAPED_COLON in data) or data.count(b":") != orjson.dumps(value).count(b":"):
        _confirm(data)
    return value


def dumps(value: Any) -> bytes:
    """`value` as compact JSON; times as RFC 3339 in UTC with Z (a naive one is taken as UTC).

    Raises UnsafeJson for NaN and Infinity, which browsers cannot read, and TypeError for what JSON has no word for.
    """
    data = orjson.dumps(value, default=_time_as_text, option=_WRITE)
    if b"null" in data:  # how orjson writes NaN
        _refuse_nan(value)
    return data


def _inspect(value: Any, data: bytes, max_depth: int, far_number: bool) -> None:
    """Walk the tree and refuse what bytes alone cannot tell."""
    escaped_nul = _ESCAPED_NUL in data
    for depth, level in enumerate(_levels(value)):
        if depth == max_depth and any(type(item) in (list, dict) for item in level):
            raise UnsafeJson(f"is nested deeper than {max_depth} levels")
        if escaped_nul and any(type(item) is str and "\0" in item for item in level):
            raise UnsafeJson("holds the character NUL")
        if far_number and any(type(item) in (int, float) and _is_far(item) for item in level):
            _confirm(data)
            far_number = False


def _levels(value: Any) -> Iterator[list[Any]]:
    """The values and keys of each level, the outermost first; never recursive."""
    level = [value]
    while level:
        yield level
        below: list[Any] = []
        for item in level:
            if type(item) is list:
                below += item
            elif type(item) is dict:
                below += item
                below += item.values()
        level = below


def _is_far(number: float) -> bool:
    """Whether a number may have been an integer that does not fit; orjson makes a float of those."""
    return not INT64_MIN < number <= INT64_MAX


def _confirm(data: bytes) -> None:
    """The slow and exact pass over the text: keys given twice, and integers that do not fit.

    When is it needed? The tree written again has a colon for each member and each colon in a string. The text has as many
    or, where a later member replaced an earlier one, more; only a colon written as an escape could hide that.
    """
    json.loads(data.decode(), parse_int=_bounded_int, object_pairs_hook=_unique_keys)


def _bounded_int(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else None
    if number is None or not INT64_MIN <= number <= INT64_MAX:
        raise UnsafeJson("holds an integer outside 64 bit")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise UnsafeJson(f"gives the key {json.dumps(twice[:40])} twice")
    return members


def _explain(data: bytes, error: orjson.JSONDecodeError, max_depth: int) -> str:
    """What is wrong, in words; only called when something is."""
    if not data.strip():
        return "is empty"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        return "is UTF-16 or UTF-32 instead of UTF-8"
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark"
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        return f"is not UTF-8 (byte {exc.start})"
    if "depth limit" in error.msg:
        return f"is nested deeper than {max_depth} levels"
    if "infinity" in error.msg:
        return "holds a number that is too large"
    if "surrogate" in error.msg:
        return "holds a lone surrogate"
    if text.startswith(("NaN", "Infinity"), error.pos) or text.startswith("Inf", error.pos + 1):
        return "holds NaN or Infinity"
    return f"is not JSON (line {error.lineno} column {error.colno})"


def _time_as_text(value: Any) -> str:
    """orjson's way out for what it was told not to write itself."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _refuse_nan(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
        elif isinstance(item, float) and not math.isfinite(item):
            raise UnsafeJson("holds NaN or Infinity")
