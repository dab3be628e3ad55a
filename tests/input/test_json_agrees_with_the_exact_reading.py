"""Properties, on anything that can be thought up: only UnsafeJson comes out, and what is taken is taken exactly."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.safe_json import MAX_DEPTH, UnsafeJson, dumps, loads

quick = settings(max_examples=300, deadline=None, database=None)
WORDS = [b"{", b"}", b"[", b"]", b",", b":", b'"a"', b'"b:"', b'"\\u003a"', b'"\\u0061"', b'"\\u0000"', b"1", b"-", b"0",
         b"9223372036854775808", b"1e400", b".5", b"NaN", b"true", b"null", b" ", b"\xff", b'"', b"\\"]  # fmt: skip
KEYS = ['"a"', '"b"', '":"', '"\\u003a"', '"\\u0061"', '"\\\\u003a"', '"\\u0000"']
NUMBERS = ["0", "-0.0", "1.5", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
           "18446744073709551616.5", "1e22", "123456789012345678901234567890"]  # fmt: skip

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=4)
    return pairs.map(lambda items: "{" + ",".join(f"{key}:{value}" for key, value in items) + "}")


#: Well-formed text with keys given twice, numbers that do not fit and everything that could hide them.
tricky_texts = st.recursive(
    st.sampled_from([*KEYS, *NUMBERS]),
    lambda inner: (
        objects(inner) | st.lists(inner, max_size=4).map(lambda items: "[" + ",".join(items) + "]")
    ),
    max_leaves=12,
)


@quick
@given(st.binary(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=30).map(b"".join))
@example(b"-Infinity")
@example(b'{"\\')
def test_nothing_but_its_own_error_comes_out(data: bytes) -> None:
    try:
        value = loads(data)
    except UnsafeJson:
        return
    assert loads(dumps(value)) == value
    assert json.loads(data) == value


@quick
@given(json_values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert loads(json.dumps(value).encode()) == value


@quick
@given(tricky_texts)
def test_it_refuses_exactly_what_the_slow_reading_refuses(text: str) -> None:
    try:
        expected = exact(text)
    except ValueError:
        expected = UnsafeJson
    try:
        value = loads(text.encode())
    except UnsafeJson:
        value = UnsafeJson

    assert value == expected


def exact(text: str) -> Any:
    """The rules again, in the plainest words; slow."""
    value = json.loads(text, object_pairs_hook=unique)
    assert_storable(value, 0)
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def assert_storable(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH or (isinstance(value, str) and "\0" in value):
        raise ValueError("deep or NUL")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("integer")
    if isinstance(value, dict | list):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for item in inner:
            assert_storable(item, depth + isinstance(item, dict | list))
