"""The head of the chain, noted outside of the database: a chain cannot tell that its own end was cut off.

`DATA_DIR/audit.anchor` gets one line a commit: store, number, digest. Ship it to another machine with the logs, and
whoever may write the database cannot forge both.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from core.audit.chain import Mark

logger = logging.getLogger("core.audit")

MAX_BYTES = 1024 * 1024
#: What is left when the file is shortened: early ones too, so that an old cut is still seen.
KEPT_LINES = 4000


def path() -> Path:
    """Where the heads are noted."""
    return Path(settings.DATA_DIR) / "audit.anchor"


def note(store: str, mark: Mark) -> None:
    """Append one head. A failure is logged: the record itself is safe already."""
    try:
        with _locked() as descriptor:
            os.write(descriptor, f"{store} {mark.seq} {mark.digest}\n".encode())
            if os.fstat(descriptor).st_size > MAX_BYTES:
                _shorten(descriptor)
    except OSError as exc:
        logger.warning("the audit's head was not noted: %s", exc.strerror)


def marks(store: str) -> list[Mark]:
    """Every head that was noted for this store; a line that cannot be read is passed over."""
    try:
        lines = path().read_text("ascii", "replace").splitlines()
    except FileNotFoundError:
        return []
    parts = [line.split() for line in lines]
    return [
        Mark(int(part[1]), part[2])
        for part in parts
        if len(part) == 3 and part[0] == store and part[1].isdigit() and len(part[2]) == 64
    ]


@contextmanager
def _locked() -> Iterator[int]:
    path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    descriptor = os.open(path(), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _shorten(descriptor: int) -> None:
    """Keep every other line of the older half and all of the newer, in place and under the lock."""
    lines = path().read_bytes().splitlines(keepends=True)
    older, newer = lines[: -KEPT_LINES // 2], lines[-KEPT_LINES // 2 :]
    step = max(1, len(older) // (KEPT_LINES // 2))
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"".join(older[::step] + newer))
