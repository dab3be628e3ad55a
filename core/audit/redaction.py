"""What a record may say: no secrets, no control characters, no more than a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

MAX_DETAIL = 16 * 1024
_SECRET = re.compile(r"password|passwd|secret|token|authorization|cookie|api_?key$", re.IGNORECASE)
#: Control characters, line separators and lone surrogates: what breaks a log line, a terminal or PostgreSQL.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def clean_text(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters."""
    return _UNFIT.sub("\ufffd", text[:limit])


def clean_detail(detail: Mapping[str, Any] | None) -> str:
    """The detail as JSON, with the values of secret-sounding names hidden, at most 16 KiB."""
    hidden = _hidden(detail or {}, 0)
    try:
        text = orjson.dumps(hidden, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # a lone surrogate, an integer over 64 bits
        text = json.dumps(hidden, default=str)
    if len(text) > MAX_DETAIL:
        return orjson.dumps({"truncated": True, "keys": [str(key) for key in hidden][:50]}).decode()
    return text


def _hidden(value: Any, depth: int) -> Any:
    if depth > 16:
        return "…"
    if isinstance(value, Mapping):
        return {
            key: "***" if isinstance(key, str) and _SECRET.search(key) else _hidden(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden(item, depth + 1) for item in value]
    return value
