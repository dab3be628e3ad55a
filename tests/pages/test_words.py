"""Numbers and times as people read them; the script's `duration` says the same words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.formatting import absolute, ago, day, duration, iso, milliseconds, percent, plain, plural


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (-5, "0.0 s"), (0.42, "0.4 s"), (1, "1 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"),
     (3_600, "1 h"), (86_400, "24 h"), (172_800, "2 d")],
)  # fmt: skip
def test_a_duration_is_its_largest_unit(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (0, "0 ms"), (0.44, "0.4 ms"), (12.4, "12 ms"), (999.4, "999 ms"), (1_449, "1.4 s"), (12_000, "12 s")],
)  # fmt: skip
def test_a_latency_is_as_exact_as_it_matters(value, words):
    assert milliseconds(value) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "–"), (1, "100 %"), (0.999_999, "99.99 %"), (0.5, "50 %"), (0, "0 %"), (0.0022, "0.22 %")],
)  # fmt: skip
def test_only_a_spotless_record_reads_100(share, words):
    assert percent(share) == words


def test_times_are_utc_and_ages_are_said():
    when = datetime(2026, 2, 24, 12, 3, 11, 999, tzinfo=UTC)

    assert (iso(when), absolute(when)) == ("2026-02-24T12:03:11Z", "24 Feb 2026, 12:03:11 UTC")
    assert (iso(None), ago(None), ago(12)) == ("", "never", "12 s ago")


def test_small_words():
    assert [day("2026-02-24"), day("2026-W08"), day(None), day("x" * 9)] == [
        "24 Feb", "W08", "–", "x" * 9,
    ]  # fmt: skip
    assert [plural(1, "node"), plural(2, "node"), plural(0, "box", "boxes")] == [
        "1 node", "2 nodes", "0 boxes",
    ]  # fmt: skip
    assert [plain(None), plain(True), plain(["a", "b"]), plain({"k": 1}), plain(0)] == [
        "–", "yes", "a, b", "k: 1", "0",
    ]  # fmt: skip
