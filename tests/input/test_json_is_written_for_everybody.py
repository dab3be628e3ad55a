"""What `dumps` writes can be read by every browser and database."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest

from core.safe_json import UnsafeJson, dumps


class Colour(enum.StrEnum):
    RED = "red"


def test_times_are_rfc_3339_in_utc() -> None:
    kyiv = timezone(timedelta(hours=2))

    assert dumps(datetime(2026, 2, 25, 10, 0, tzinfo=UTC)) == b'"2026-02-25T10:00:00Z"'
    assert dumps(datetime(2026, 2, 25, 12, 0, tzinfo=kyiv)) == b'"2026-02-25T10:00:00Z"'
    assert dumps(datetime(2026, 2, 25, 10, 0, 0, 5)) == b'"2026-02-25T10:00:00.000005Z"'
    assert dumps([date(2026, 2, 25)]) == b'["2026-02-25"]'


def test_names_stay_as_they_are() -> None:
    assert dumps({"label": "Київ", "kind": Colour.RED, "id": UUID(int=1)}) == (
        '{"label":"Київ","kind":"red","id":"00000000-0000-0000-0000-000000000001"}'.encode()
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_it_refuses_numbers_that_browsers_cannot_read(number: float) -> None:
    for value in (number, [number], {"a": {"b": (1, [number])}, "c": None}):
        with pytest.raises(UnsafeJson, match="NaN"):
            dumps(value)


def test_null_is_no_nan() -> None:
    assert dumps({"node_id": None, "text": "null"}) == b'{"node_id":null,"text":"null"}'


def test_it_refuses_what_json_has_no_word_for() -> None:
    @dataclass
    class Hidden:
        secret: str = "x"

    for value in (object(), {1: "a"}, 2**64, Hidden(), b"bytes"):
        with pytest.raises(TypeError):
            dumps(value)
