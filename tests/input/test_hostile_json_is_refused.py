"""What a node, a client or a proxy may send instead of JSON."""

import gc
from contextlib import suppress
from time import process_time

import pytest

from core.safe_json import UnsafeJson, loads

REFUSED = {
    b"": "is empty",
    b" \n": "is empty",
    b"{": "is not JSON (line 1 column 2)",
    b"{} x": "is not JSON (line 1 column 4)",
    b"{'a': 1}": "is not JSON (line 1 column 2)",
    b'[1,\n"a]': "is not JSON (line 2 column 4)",
    b"<html>": "is not JSON (line 1 column 1)",
    b"NaN": "holds NaN or Infinity",
    b'{"a":NaN}': "holds NaN or Infinity",
    b"[-Infinity]": "holds NaN or Infinity",
    b"[Infinity]": "holds NaN or Infinity",
    b"[-NaN]": "holds NaN or Infinity",
    b"1e400": "holds a number that is too large",
    b"[-1e400]": "holds a number that is too large",
    b"9" * 5000: "holds a number that is too large",
    b"9" * 300: "holds an integer outside 64 bit",
    b"[%d]" % 2**63: "holds an integer outside 64 bit",
    b"[%d]" % 2**64: "holds an integer outside 64 bit",
    b"[%d]" % (-(2**63) - 1): "holds an integer outside 64 bit",
    b'{"a":{"b":[0,"9999999999999999999",%d]}}' % 2**63: "holds an integer outside 64 bit",
    b'{"a":1,"a":1}': 'gives the key "a" twice',
    b'{"a":1,"\\u0061":1}': 'gives the key "a" twice',
    b'[{"t":"10:00","x":{"t":"10:00","t":":"}}]': 'gives the key "t" twice',
    b'{"a":"\\u003a","a":"\\u003A"}': 'gives the key "a" twice',
    b'{"\\n":1,"\\n":1}': 'gives the key "\\n" twice',
    b'"\\ud800"': "holds a lone surrogate",
    b'"\\ud800\\ud800"': "holds a lone surrogate",
    b'{"\\udc00":1}': "holds a lone surrogate",
    b'"\xed\xa0\x80"': "is not UTF-8 (byte 1)",
    b'"\xff"': "is not UTF-8 (byte 1)",
    b'"\xc0\x80"': "is not UTF-8 (byte 1)",
    b'"a\\u0000"': "holds the character NUL",
    b'{"\\u0000":1}': "holds the character NUL",
    b'"\x01"': "is not JSON (line 1 column 2)",
    b"\xef\xbb\xbf{}": "begins with a byte order mark",
    "{}".encode("utf-16"): "is UTF-16 or UTF-32 instead of UTF-8",
    "{}".encode("utf-16-le"): "is UTF-16 or UTF-32 instead of UTF-8",
    "{}".encode("utf-16-be"): "is UTF-16 or UTF-32 instead of UTF-8",
    "{}".encode("utf-32-be"): "is UTF-16 or UTF-32 instead of UTF-8",
    b"[" * 33 + b"]" * 33: "is nested deeper than 32 levels",
    b'{"a":' * 33 + b"1" + b"}" * 33: "is nested deeper than 32 levels",
    b"[" * 100_000: "is nested deeper than 32 levels",
    b"[" * 100_000 + b"]" * 100_000: "is nested deeper than 32 levels",
    b'{"a":' * 40_000 + b"1" + b"}" * 40_000: "is nested deeper than 32 levels",
    b'"' + b"a" * 262_144: "is longer than 262144 bytes",
}

ACCEPTED = {
    b"null": None,
    b"[]": [],
    b'"text"': "text",
    b"-0": 0,
    b"[%d,%d]" % (2**63 - 1, -(2**63)): [2**63 - 1, -(2**63)],
    b"1.7e308": 1.7e308,
    b"1e-400": 0.0,
    b"12345678901234567890123.5": 12345678901234567890123.5,
    b'"99999999999999999999999"': "99999999999999999999999",
    b'{"a:b":"10:00:00","c\\u003ad":":"}': {"a:b": "10:00:00", "c:d": ":"},
    b'"\\\\u0000"': "\\u0000",
    b'{"a":{"a":1},"b":{"a":1}}': {"a": {"a": 1}, "b": {"a": 1}},
    b'{"a":"\\ud83d\\ude00"}': {"a": "\U0001f600"},
    b"[" + b"[]," * 100 + b"1]": [[]] * 100 + [1],
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.items(), ids=lambda value: repr(value)[:40])
def test_it_refuses_and_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnsafeJson) as caught:
        loads(data)

    assert caught.value.reason == reason


@pytest.mark.parametrize("data", ACCEPTED, ids=lambda value: repr(value)[:40])
def test_it_takes_what_only_looks_dangerous(data: bytes) -> None:
    assert loads(data) == ACCEPTED[data]


def test_the_deepest_allowed_level_is_the_asked_one() -> None:
    assert loads(b"[" * 3 + b"]" * 3, max_depth=3) == [[[]]]
    with pytest.raises(UnsafeJson, match="deeper than 3 levels"):
        loads(b"[" * 4 + b"]" * 4, max_depth=3)
    with pytest.raises(UnsafeJson, match="deeper than 200 levels"):
        loads(b"[" * 201 + b"]" * 201, max_depth=5000)
    with pytest.raises(UnsafeJson, match="deeper than 0 levels"):
        loads(b"[]", max_depth=0)


def test_the_size_limit_is_exact() -> None:
    assert loads(b'"aa"', max_bytes=4) == "aa"
    with pytest.raises(UnsafeJson, match="longer than 3 bytes"):
        loads(b'"aa"', max_bytes=3)


BOMBS = {
    "brackets": b"[" * 262_144,
    "objects": b'{"a":' * 52_428,
    "digits": b"9" * 262_144,
    "digits of a fraction": b"0." + b"9" * 262_000,
    "integers that do not fit": b"[" + b"9999999999999999999," * 13_000 + b"1]",
    "numbers that look so": b"[" + b"9999999999999999999.5," * 11_000 + b"1]",
    "one key many times": b"{" + b'"a":1,' * 43_000 + b'"a":1}',
    "a twin at the end": b"{" + b"".join(b'"%d":1,' % n for n in range(25_000)) + b'"0":1}',
    "escaped colons": b"[" + b'"\\u003a",' * 29_000 + b"1]",
    "escaped NULs": b"[" + b'"\\\\u0000",' * 26_000 + b"1]",
    "many lists": b"[" + b"[]," * 87_000 + b"1]",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_the_worst_of_the_allowed_size_costs_little(data: bytes) -> None:
    assert min(_seconds(data) for _ in range(3)) < 0.5


def _seconds(data: bytes) -> float:
    gc.disable()  # a collection of all that the test process holds takes 50 ms by itself
    start = process_time()
    with suppress(UnsafeJson):
        loads(data)
    gc.enable()
    return process_time() - start
