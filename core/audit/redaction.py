"""What a record may say: no secrets, no control characters, no more than a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

MAX_DETAIL = 16 * 1024
MAX_DEPTH = 16
#: So much of a single value is kept where the whole is too long.
MAX_VALUE = 512
_SECRET = re.compile(r"password|passwd|secret|token|authorization|cookie|api_?key$", re.IGNORECASE)
#: Control characters, line separators and lone surrogates: what breaks a log line, a terminal or PostgreSQL.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: What no UTF-8 or no PostgreSQL text can hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters."""
    return _UNFIT.sub("\ufffd", text[:limit])


def clean_detail(detail: Mapping[str, Any] | None) -> str:
    """The detail as JSON, with the values of secret-sounding names hidden, at most 16 KiB.

    What is longer keeps its short values; the long ones are cut, and if that is not enough, the names are left.
    """
    fit = _fit(detail or {}, 0)
    text = orjson.dumps(fit, default=str).decode()
    if len(text) > MAX_DETAIL:
        text = orjson.dumps({"truncated": True, **_cut(fit, 2)}).decode()
    if len(text) > MAX_DETAIL:
        return orjson.dumps({"truncated": True, "keys": [key[:64] for key in fit][:50]}).decode()
    return text


def _fit(value: Any, depth: int) -> Any:
    """The value as any JSON reader and both databases take it."""
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {
            _fit_text(str(key)): "***" if _SECRET.search(str(key)) else _fit(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_fit(item, depth + 1) for item in value]
    if isinstance(value, str):
        return _fit_text(value)
    if isinstance(value, int) and not -(2**53) < value < 2**53:
        return str(value)
    return value


def _cut(members: Mapping[str, Any], levels: int) -> dict[str, Any]:
    """The members with what is long in place of a value cut to its beginning, as text."""
    cut: dict[str, Any] = {}
    for key, value in members.items():
        text = orjson.dumps(value, default=str).decode()
        if len(text) <= MAX_VALUE:
            cut[key] = orjson.loads(text)
        elif levels > 1 and isinstance(value, Mapping):
            cut[key] = _cut(value, levels - 1)
        else:
            cut[key] = text[:MAX_VALUE] + "…"
    return cut


def _fit_text(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)
