"""What a YAML file may hold, and what it may not: nothing is built that was not looked at first."""

import gc
import os
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.policies.loader import PolicyError, load_document, parse_document
from core.safe_json import dumps, loads

NAME = Path("x.yml")


def read(text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return parse_document(data, NAME).value


SCALARS = {
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
    "0": 0,
    "-12": -12,
    "+12": 12,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "1.5": 1.5,
    "-.5": -0.5,
    "5.": 5.0,
    "1e5": 1e5,
    "6.02E+23": 6.02e23,
    # from here on YAML 1.1 would have changed the value
    "NO": "NO",
    "no": "no",
    "off": "off",
    "On": "On",
    "yes": "yes",
    "y": "y",
    "True": "True",
    "FALSE": "FALSE",
    "Null": "Null",
    "12:30:45": "12:30:45",
    "1:20": "1:20",
    "22:00": "22:00",
    "2026-02-25": "2026-02-25",
    "2026-02-25T10:00:00Z": "2026-02-25T10:00:00Z",
    ".nan": ".nan",
    ".inf": ".inf",
    "-.INF": "-.INF",
    "1e400": "1e400",
    "007": "007",
    "0x1F": "0x1F",
    "0o17": "0o17",
    "0b11": "0b11",
    "1_000": "1_000",
    "9223372036854775808": "9223372036854775808",
    "1" * 5000: "1" * 5000,
    "١٢": "١٢",
    "=": "=",
    "1.2.3": "1.2.3",
    ".": ".",
    "e5": "e5",
    "'true'": "true",
    '"5"': "5",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=lambda value: repr(value)[:30])
def test_a_plain_word_is_what_it_looks_like(text: str, value: Any) -> None:
    found = read(f"key: {text}")["key"]

    assert found == value
    assert type(found) is type(value)


def test_blocks_lists_and_nested_mappings_are_read() -> None:
    text = "a: |\n  1\n  2\nb: >-\n  x\n  y\nc:\n- {d: [1, two]}\n-\n"

    assert read(text) == {"a": "1\n2\n", "b": "x y", "c": [{"d": [1, "two"]}, None]}
    assert read("") is None
    assert read(b"\xef\xbb\xbfa: 1") == {"a": 1}


REFUSED = {
    "a: !!python/object/apply:os.system ['id']": "x.yml:1:4: tags (!name) are not allowed",
    "a: !!str 5": "x.yml:1:4: tags (!name) are not allowed",
    "a: ! b": "x.yml:1:4: tags (!name) are not allowed",
    "!thing {a: 1}": "x.yml:1:1: tags (!name) are not allowed",
    "a: 1\nb: &anchor [1]": "x.yml:2:4: anchors (&name) are not allowed",
    "a: *anchor": "x.yml:1:4: aliases (*name) are not allowed: write the value out",
    "a: 1\n<<: {b: 2}": "x.yml:2:1: merge keys (<<) are not allowed: write the keys out",
    "%TAG ! tag:x,2000:\n---\na: 1": "x.yml:1:1: %TAG directives are not allowed",
    "a: 1\n---\nb: 2": "x.yml:2:1: expected one document, a second one starts here",
    "nodes:\n  NODA1: {}\n  B: {}\n  NODA1: {}": (
        'x.yml:4:3: the key "NODA1" is given twice: in line 2 and in line 4'
    ),
    '{a: 1, "a": 2}': 'x.yml:1:8: the key "a" is given twice: in line 1 and in line 1',
    '"a\\e": 1\n"a\\e": 2': 'x.yml:2:1: the key "a\\u001b" is given twice: in line 1 and in line 2',
    "1: a": 'x.yml:1:1: expected text as the key: write "1"',
    "true: a": 'x.yml:1:1: expected text as the key: write "true"',
    "null: a": 'x.yml:1:1: expected text as the key: write "null"',
    "? [a, b]\n: 1": "x.yml:1:3: expected text as the key",
    "? {a: b}\n: 1": "x.yml:1:3: expected text as the key",
    'a: "\\0"': "x.yml:1:4: expected text without NUL and lone surrogates",
    "a: b: c": "x.yml:1:5: mapping values are not allowed in this context",
    "a: 1\n\tb: 2": "x.yml:2:1: ",
    "a: [1,": "x.yml:2:1: ",
    "a: \x07": "x.yml:1:4: expected printable characters",
    b"a: 1\nb: \xff": "x.yml:2:4: expected UTF-8",
    "a: 1".encode("utf-16"): "x.yml:1:1: expected UTF-8",
    "[" * 33 + "]" * 33: "x.yml:1:33: expected at most 32 levels",
    "[" * 5000: "x.yml:1:33: expected at most 32 levels",
    "- " * 5000: "x.yml:1:65: expected at most 32 levels",
    "a: " + "b" * 65_536: "x.yml:1:1: expected at most 65536 bytes",
    "[" + "1," * 20_000 + "]": "x.yml:1:21846: expected at most 10922 keys and values",
}


@pytest.mark.parametrize(("text", "error"), REFUSED.items(), ids=lambda value: repr(value)[:40])
def test_what_is_not_allowed_is_named_with_its_place(text: str | bytes, error: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text)

    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join(['*' + before] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ALIAS_BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "merges": MERGE_BOMB,
    "aliases": ALIAS_BOMB,
    "brackets": "[" * 65_000,
    "braces": "{" * 65_000,
    "dashes": "- " * 32_000,
    "questions": "? " * 32_000,
    "values": "[" + "a," * 32_000 + "]",
    "empty values": "- - - -\n" * 8_000,
    "deep values": "[" * 31 + "{a: 1}," * 9_000 + "]" * 31,
    "digits": "1" * 65_000,
    "a long fraction": "0." + "1" * 65_000,
    "escapes": '"' + "\\u0041" * 10_000 + '"',
    "colons": ": " * 32_000,
    "tabs": "\t" * 65_000,
    "comments": "#\n" * 32_000,
    "bangs": "!" * 65_000,
    "percents": "%" * 65_000,
    "a long key": "a" * 65_000 + ": 1",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_no_bomb_takes_long(text: str) -> None:
    assert min(_seconds(text) for _ in range(3)) < 0.5


def _seconds(text: str) -> float:
    gc.disable()  # a collection of all that the test process holds takes 50 ms by itself
    start = process_time()
    with suppress(PolicyError):
        read(text)
    gc.enable()
    return process_time() - start


PIECES = ["a", "b", ": ", ":", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", "? ", "&x ", "*x", "!t ", "<<", "|", ">", "'",
          '"', "\\", "#", "%", "---", "...", "1", "1.5", "null", "\t", "\0", "é", "\x85", "\u2028", "@", "`"]  # fmt: skip


@settings(max_examples=400, deadline=None, database=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: "".join(parts).encode())
)
@example(b'"\\ud800"')
@example(b"%YAML 1.3\n---\na")
@example(b"a: \xe2\x80\xa8b")
def test_nothing_but_policy_error_comes_out(data: bytes) -> None:
    try:
        document = parse_document(data, NAME)
    except PolicyError:
        return
    assert loads(dumps(document.value)) == document.value
    assert len(document.digest) == 64


def test_a_file_that_cannot_be_read_is_an_error_of_the_same_kind(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yml", tmp_path):
        with pytest.raises(PolicyError, match=f"^{path.name}:1:1: "):
            load_document(path)


def test_the_size_cap_is_a_parameter(tmp_path: Path) -> None:
    path = tmp_path / "large.yml"
    path.write_text("a: " + "b" * 70_000)

    assert len(load_document(path, max_bytes=80_000).value["a"]) == 70_000
    with pytest.raises(PolicyError, match="at most 65536 bytes"):
        load_document(path)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")

    with pytest.raises(PolicyError, match="regular file"):
        load_document(tmp_path / "pipe.yml")
