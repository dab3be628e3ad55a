"""What is kept outside of the database."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from core.access.principals import system
from core.audit import anchor, queries, services
from core.audit.chain import Mark

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def files(settings: Any) -> None:
    """AUDIT_BACKEND=jsonl."""
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, audit_backend="jsonl")


def write(target: str = "") -> None:
    services.record("node.update", actor=system("tests"), target=target)


def test_the_chain_goes_on_across_months(files: None, data_dir: Path) -> None:
    for month in (9, 10, 11, 10):  # the clock goes back once
        with time_machine.travel(datetime(2026, month, 3, tzinfo=UTC)):
            write(str(month))

    names = [file.name for file in sorted((data_dir / "audit").glob("*.jsonl"))]
    assert names == ["audit-2026-09.jsonl", "audit-2026-10.jsonl", "audit-2026-11.jsonl"]
    assert services.verify().ok
    assert [row.target for row in queries.page().items] == ["10", "11", "10", "9"]


def test_a_torn_last_line_is_dropped_by_the_next_writer(files: None, data_dir: Path) -> None:
    write()
    [file] = (data_dir / "audit").glob("*.jsonl")
    with file.open("ab") as opened:
        opened.write(b'{"seq":2,"ts":"20')
    assert not services.verify().ok

    write()

    assert services.verify().ok
    assert [row.seq for row in queries.page().items] == [2, 1]


def test_a_missing_file_is_found_out(files: None, data_dir: Path) -> None:
    for month in (9, 10, 11):
        with time_machine.travel(datetime(2026, month, 3, tzinfo=UTC)):
            write()

    (data_dir / "audit" / "audit-2026-10.jsonl").unlink()

    assert services.verify().first_bad == 2


def test_a_line_longer_than_a_block_is_read_backwards(
    files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.audit.stores.jsonl._BLOCK", 64)
    for number in range(20):
        write(f"{number}" * number)

    assert [row.seq for row in queries.page().items] == list(range(20, 0, -1))
    assert services.verify().ok


def test_a_disk_that_takes_nothing_stops_the_change(
    files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.audit.stores.jsonl.os.write", lambda *_: 3)

    with pytest.raises(OSError, match="whole record"):
        write()

    monkeypatch.undo()


def test_files_are_the_owners_only(files: None, data_dir: Path) -> None:
    write()

    modes = [path.stat().st_mode & 0o077 for path in (data_dir / "audit").rglob("*")]
    assert set(modes) == {0}
    assert anchor.path().stat().st_mode & 0o077 == 0


def test_the_anchor_stays_small_and_keeps_old_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "MAX_BYTES", 20_000)
    monkeypatch.setattr(anchor, "KEPT_LINES", 100)
    for number in range(1, 2001):
        anchor.note("database", Mark(number, f"{number:064x}"))

    marks = anchor.marks("database")
    assert anchor.path().stat().st_size <= 20_100
    assert marks[-1].seq == 2000
    assert marks[0].seq == 1


def test_a_broken_anchor_line_is_passed_over() -> None:
    write()
    with anchor.path().open("ab") as opened:
        opened.write(b"\xff\xfe\ndatabase x y\ndatabase 2\n")

    assert services.verify().ok


def test_without_an_anchor_the_record_is_still_written(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anchor.path().mkdir()

    write()

    assert queries.page().items
    assert "not noted" in caplog.text
