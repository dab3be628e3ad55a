"""Numbers and times as people read them. `FILTERS` is what the page templates know."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from core.pages import shell_of
from core.reference import reference

#: A shape for each state, as on the pages, so that nobody depends on colour.
STATE_GLYPHS = {
    "online": "●",
    "degraded": "▲",
    "offline": "■",
    "unknown": "◌",
    "maintenance": "◆",
    "paused": "‖",
}
_WEEK = re.compile(r"\d{4}-W\d{2}", re.ASCII)
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float | None) -> str:
    """The largest unit that says enough: `0.4 s`, `12 s`, `4 min`, `3 h`, `5 d`; a dash for None."""
    if seconds is None:
        return "–"
    seconds = max(0.0, seconds)
    for size, unit in _STEPS:
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:.1f} s" if seconds < 1 else f"{int(seconds)} s"


def ago(seconds: float | None) -> str:
    """`12 s ago`; `never` for None."""
    return "never" if seconds is None else f"{duration(seconds)} ago"


def milliseconds(value: float | None) -> str:
    """`0.8 ms`, `12 ms`, `1.4 s`; a dash for None."""
    if value is None:
        return "–"
    if value >= 9_995:
        return f"{value / 1000:.0f} s"
    if value >= 1_000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if 0 < value < 0.95 else f"{value:.0f} ms"


def percent(fraction: float | None, digits: int = 2) -> str:
    """`99.98 %`. Rounds down, so that only a spotless record reads 100; a dash for None."""
    if fraction is None:
        return "–"
    scale: int = 10**digits
    cut = int(fraction * 100 * scale + 1e-6) / scale
    return f"{cut:.{digits}f}".rstrip("0").rstrip(".") + " %" if digits else f"{cut:.0f} %"


def iso(when: datetime | None) -> str:
    """RFC 3339 in UTC, to the second; empty for None."""
    return "" if when is None else when.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def absolute(when: datetime | None) -> str:
    """`24 Feb 2026, 12:03:11 UTC`; a dash for None."""
    return "–" if when is None else when.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


@lru_cache(maxsize=1024)
def day(text: str | None) -> str:
    """A date as a node reports it (`2026-02-24`) as `24 Feb`, a week (`2026-W08`) as `W08`; anything else as it came."""
    if text and _WEEK.fullmatch(text):
        return text[5:]
    try:
        return datetime.strptime(text or "", "%Y-%m-%d").strftime("%-d %b")
    except ValueError:
        return text or "–"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def plain(value: Any) -> str:
    """A setting as people write it: words joined by commas, a dash for nothing."""
    if value is None or value == "" or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return str(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "absolute": absolute,
    "ago": ago,
    "day": day,
    "duration": duration,
    "iso": iso,
    "milliseconds": milliseconds,
    "percent": percent,
    "plain": plain,
    "plural": plural,
    "reference": reference,
    "shell": shell_of,
}
