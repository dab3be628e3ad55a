"""Records in files: `DATA_DIR/audit/audit-2026-11.jsonl`, one a month, one JSON object a line, one chain through all.

A line is flushed to the disk before the caller's transaction commits. A transaction that fails after it leaves its line
behind: the audit may name a change that was not made, never miss one that was.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from core.audit import chain
from core.audit.models import AuditRecord

logger = logging.getLogger("core.audit")

_COLUMNS = (
    "seq", "ts", "actor", "actor_kind", "action", "target", "outcome", "detail",
    "request_id", "address", "previous", "digest",
)  # fmt: skip
_BLOCK = 64 * 1024


class JsonlStore:
    """The chain as files, locked by `flock` for threads and processes alike."""

    name = "jsonl"

    def __init__(self) -> None:
        self.folder = Path(settings.DATA_DIR) / "audit"

    def append(self, row: AuditRecord) -> None:
        """Chain the row under the lock and flush it. Raises OSError when the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            newest = next(iter(reversed(self.files())), None)
            if newest is not None:
                _drop_torn_tail(newest)
            last = self._last()
            row.seq = last.seq + 1 if last else 1
            row.previous = last.digest if last else chain.GENESIS
            row.digest = chain.digest(row)
            _write(self._file_for(row.ts, newest), _line(row))

    def rows(self) -> Iterator[AuditRecord]:
        """Every record in the order of the files and lines. A line that cannot be read is one that fails its check."""
        place, last = 0, chain.GENESIS
        for file in self.files():
            with file.open("rb") as lines:
                for line in lines:
                    place += 1
                    row = _parsed(line) or _unreadable(place, last)
                    yield row
                    last = row.digest

    def successor(self, digest: str) -> int | None:
        """The place, counted in lines, of the record that was chained to this digest."""
        for place, row in enumerate(self.rows(), 1):
            if row.previous == digest:
                return place
        return None

    def page(
        self, *, after: int | None, before: int | None, limit: int, action: str, actor: str
    ) -> list[AuditRecord]:
        """Read from the end that is asked for and stop when the page is full."""
        found: list[AuditRecord] = []
        for row in self._newest_first() if after is None else self.rows():
            if len(found) >= limit:
                break
            is_in = (after is None or row.seq > after) and (before is None or row.seq < before)
            if is_in and action in ("", row.action) and actor in ("", row.actor):
                found.append(row)
        return found

    def files(self) -> list[Path]:
        """The files by month."""
        return sorted(self.folder.glob("audit-????-??.jsonl"))

    def _file_for(self, ts: datetime, newest: Path | None) -> Path:
        """The month's file; a clock that went back does not open an older one again."""
        wanted = self.folder / f"audit-{ts:%Y-%m}.jsonl"
        return max(wanted, newest) if newest else wanted

    def _newest_first(self) -> Iterator[AuditRecord]:
        for file in reversed(self.files()):
            for line in _lines_backwards(file):
                row = _parsed(line)
                if row is not None:
                    yield row

    def _last(self) -> AuditRecord | None:
        return next(self._newest_first(), None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _line(row: AuditRecord) -> bytes:
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    return orjson.dumps({**values, "ts": row.ts.isoformat()}) + b"\n"


def _parsed(line: bytes) -> AuditRecord | None:
    try:
        values = orjson.loads(line)
        known = {name: values[name] for name in _COLUMNS}
        return AuditRecord(**{**known, "ts": datetime.fromisoformat(known["ts"])})
    except (ValueError, KeyError, TypeError):
        return None


def _unreadable(place: int, last: str) -> AuditRecord:
    epoch = datetime.fromtimestamp(0, UTC)
    return AuditRecord(seq=place, ts=epoch, action="unreadable", previous=last, digest="")


def _write(file: Path, line: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, size)
            raise OSError(28, "the disk did not take the whole record")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_torn_tail(file: Path) -> None:
    """Remove a last line without an end: its writer died before anybody was told that it was written."""
    with file.open("rb+") as opened:
        size = opened.seek(0, os.SEEK_END)
        if size == 0:
            return
        opened.seek(-1, os.SEEK_END)
        if opened.read(1) == b"\n":
            return
        torn = next(_lines_backwards(file))
        logger.warning("a torn audit line of %d bytes was removed from %s", len(torn), file.name)
        opened.truncate(size - len(torn))


def _lines_backwards(file: Path) -> Iterator[bytes]:
    """The lines of a file from the last to the first, read in blocks from its end."""
    with file.open("rb") as opened:
        position = opened.seek(0, os.SEEK_END)
        rest = b""
        while position > 0:
            size = min(_BLOCK, position)
            position -= size
            opened.seek(position)
            lines = (opened.read(size) + rest).splitlines(keepends=True)
            rest = lines.pop(0) if position > 0 else b""
            yield from reversed(lines)
