"""Bodies that are not what they should be: what can still be taken from them, and what people see of them."""

from __future__ import annotations

import json
import re
from typing import Any

RAW_CAP = 4096
_MAX_DIGITS = 400
_WORD = re.compile(rb"\s{0,8}[A-Za-z]{1,32}[.!]?\s{0,8}")


def salvage(data: bytes) -> dict[str, Any] | None:
    """The object in a body that is JSON but for its values (NaN, endless numbers, keys given twice), or None.

    What comes out is still hostile; `normalise` takes single checked fields out of it.
    """
    try:
        value = json.loads(data, parse_int=_bounded_int, parse_float=_bounded_float)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bounded_int(digits: str) -> float:
    return int(digits) if len(digits) <= 18 else float("inf")


def _bounded_float(digits: str) -> float:
    return float(digits) if len(digits) <= _MAX_DIGITS else float("nan")


def plain_word(body: bytes) -> dict[str, Any] | None:
    """`/healthz` in the way of Kubernetes: a bare "ok" or nothing at all, with status 200. A web page is not that."""
    if not body.strip():
        return {}
    if not _WORD.fullmatch(body):
        return None
    return {"status": body.decode("ascii").strip().rstrip(".!").lower()}


def shown(body: bytes) -> str:
    """The body for people, in a form that every database takes."""
    return body[:RAW_CAP].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
