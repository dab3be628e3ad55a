"""Heartbeat bars and latency charts: what is drawn, and what it says to those who do not see it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nodes.charts import HEIGHT, WIDTH, chart
from nodes.heartbeats import beats


def heights(path: str) -> list[int]:
    return [int(height) for height in re.findall(r"v-(\d+)", path)]


def bucket(
    minute: int, p50: float | None = 10.0, probes: int = 6, failed: int = 0
) -> dict[str, Any]:
    status = None if not probes else "offline" if failed == probes else "online"
    p95 = None if p50 is None else p50 * 2
    return {
        "ts": f"2026-02-24T12:{minute:02}:00Z", "probes": probes, "failed": failed, "status": status,
        "latency_ms": {"p50": p50, "p95": p95, "max": p95},
    }  # fmt: skip


def numbers(path: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d+\.?\d*", path)]


def test_a_bar_is_as_high_as_the_latency_and_a_failure_fills_the_height():
    drawn = beats(
        [[1, 1.0, "o"], [2, 70.0, "o"], [3, 5_000.0, "o"], [4, None, "f"], [5, None, "u"]]
    )

    low, middle, high = heights(drawn.ok)
    assert low < middle < high == 20
    assert heights(drawn.failed) == [20]
    assert len(heights(drawn.unknown)) == 1
    assert drawn.words == "Last 5 probes: 3 ok, 1 failed, 1 unknown"


def test_the_newest_probe_stands_at_the_right_and_only_forty_are_drawn():
    assert beats([[1, 9.0, "o"]]).ok.startswith("M158 ")
    assert len(heights(beats([[i, 9.0, "o"] for i in range(100)]).ok)) == 40
    assert beats([]).words == "Not probed yet"


def test_strange_rows_are_drawn_as_unknown():
    drawn = beats([[1, 1e12, "?"], [2, -5.0, "o"], [3, 0, "o"]])

    assert heights(drawn.unknown) == [20]
    assert heights(drawn.ok) == [3, 3]


def test_the_line_breaks_where_nothing_was_measured():
    drawn = chart([bucket(0), bucket(1), bucket(2, p50=None, failed=6), bucket(3)], "1h")

    assert drawn.line.count("M") == 1
    assert drawn.dots.count("M") == 1
    assert drawn.failed.count("M") == 1
    assert not drawn.is_empty


def test_nothing_is_drawn_outside_of_the_box():
    drawn = chart([bucket(i, p50=float(i * 77 + 1)) for i in range(60)], "1h")

    for path in (drawn.line, drawn.dots, drawn.band):
        assert all(0 <= value <= max(WIDTH, HEIGHT) for value in numbers(path))


def test_a_range_without_probes_is_empty_and_says_so():
    drawn = chart([bucket(i, p50=None, probes=0) for i in range(60)], "1h")

    assert drawn.is_empty
    assert drawn.words == "No probes in the last 1h."
    assert drawn.line == drawn.band == drawn.failed == ""


def test_the_chart_is_said_in_a_sentence():
    drawn = chart([bucket(0), bucket(1, p50=30.0, failed=3)], "1h")

    assert drawn.words == "12 probes in the last 1h, 25 % failed; medians from 10 ms to 30 ms."
    assert drawn.slots[1].words == "12:01: online, p50 30 ms, p95 60 ms, 3 of 6 probes failed"
    assert drawn.ceiling == "60 ms"


def test_no_buckets_at_all_are_no_error():
    assert chart([], "7d").is_empty


@pytest.mark.parametrize("p50", [0.2, 0.7, 1.2, 2.4, 4.9, 6.0, 7.2, 14.0, 26.0, 140.0, 1_400.0])
def test_the_label_in_the_middle_of_the_axis_is_half_of_the_one_above(p50):
    drawn = chart([bucket(0, p50=p50), bucket(1)], "1h")

    def ms(label: str) -> float:
        number, unit = label.split()
        return float(number) * (1000 if unit == "s" else 1)

    assert ms(drawn.middle) * 2 == ms(drawn.ceiling)
