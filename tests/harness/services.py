"""What of the machine's services the suite may use: PostgreSQL, Redis, Chromium."""

from __future__ import annotations

import os
import shutil
import socket
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
_CHROMIUM = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
MARKERS = ("postgres", "redis", "browser")


def _refusal(url: str, default_port: int) -> str | None:
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or default_port)
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError as exc:
        return f"nothing answers on {address[0]}:{address[1]} ({exc.strerror or exc})"
    return None


@cache
def chromium() -> Path | None:
    """The browser's executable: `TEST_CHROMIUM`, or where one usually is."""
    named = os.environ.get("TEST_CHROMIUM")
    for candidate in (named,) if named else _CHROMIUM:
        path = shutil.which(candidate)
        if path:
            return Path(path)
    return None


@cache
def missing() -> dict[str, str]:
    """By marker, why the service cannot be used; a service that can is not in it."""
    reasons = {
        "postgres": _refusal(POSTGRES_URL, 5432),
        "redis": _refusal(REDIS_URL, 6379),
        "browser": None if chromium() else "no Chromium found (TEST_CHROMIUM names one)",
    }
    return {marker: reason for marker, reason in reasons.items() if reason}


def must_have_everything() -> bool:
    """With CI=true a missing service is a failure."""
    return os.environ.get("CI", "").lower() == "true"
