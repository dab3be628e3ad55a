"""An import takes what an export of a large fleet has, and no more time for what is made to take long."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from core.policies.loader import PolicyError
from core.problems import Problem
from nodes import services, transfer
from nodes.validation import dependency_faults

URL = "http://10.0.0.5:9102"
LIMIT = 1024 * 1024
#: A second on a machine that does nothing else.
SOON_S = 4.0


def written(nodes: dict[str, Any]) -> bytes:
    return json.dumps({"nodes": nodes}, separators=(",", ":")).encode()


HOSTILE = {
    "levels": b"[" * LIMIT,
    "duplicates": b'{"nodes":{' + b'"a":{},' * (LIMIT // 7 - 5) + b'"a":{}}}',
    "integers": b"[" + b"9223372036854775808," * (LIMIT // 20 - 2) + b"1]",
    "lines": b"- a\n" * (LIMIT // 4),
    "yaml levels": b"nodes: " + b"[" * (LIMIT - 10),
    "flow": b"{nodes: [" + b"\n".join([b"{a: 1},"] * (LIMIT // 9)),
    "fields": written({"a": {f"k{number}": 1 for number in range(90_000)}}),
    "tags": written({"a": {"router_url": URL, "tags": [1] * 500_000}}),
    "dependencies": written({"a": {"router_url": URL, "depends_on": ["/"] * 200_000}}),
    "nested": written({"a": {"require": {"backends": {f"a{n}": [1] for n in range(70_000)}}}}),
    "everywhere": written({f"n{number}": {"tags": [1] * 90} for number in range(5000)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_soon(name: str, db: None, actor: Any) -> None:
    began = time.monotonic()

    with pytest.raises((Problem, PolicyError)):
        services.import_nodes(transfer.read_document(HOSTILE[name]), actor)

    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("last", [[], ["n0"]], ids=["chain", "ring"])
def test_circles_are_found_soon_however_long(last: list[str]) -> None:
    depends = {f"n{number}": [f"n{number + 1}"] for number in range(4999)} | {"n4999": last}
    began = time.monotonic()

    faults = dependency_faults(depends, depends, "{node}")

    assert time.monotonic() - began < SOON_S
    assert len(faults) == (5000 if last else 0)
    assert all(len(fault["message"]) < 200 for fault in faults)


@pytest.mark.parametrize(
    ("depends", "changed", "faults"),
    [
        ({"a": ["b"], "b": ["c"], "c": []}, "abc", {}),
        ({"a": ["a"]}, "a", {"a": "a → a"}),
        ({"a": ["b"], "b": ["a"], "c": ["a"]}, "c", {}),
        ({"a": ["b"], "b": ["a"], "c": ["a"]}, "bc", {"b": "b → a → b"}),
        ({"a": ["b"], "b": ["a"]}, "ab", {"a": "a → b → a", "b": "a → b → a"}),
        ({"a": ["b", "c"], "b": ["a"], "c": ["a"]}, "c", {"c": "c → a → c"}),
        ({"a": ["x"], "b": ["b"]}, "ab", {"a": "'x' is not in", "b": "b → b"}),
    ],
)
def test_a_circle_is_told_at_the_changed_nodes_on_it(
    depends: dict[str, list[str]], changed: str, faults: dict[str, str]
) -> None:
    found = {f["path"]: f["message"] for f in dependency_faults(depends, changed, "{node}")}

    assert found.keys() == faults.keys()
    assert all(text in found[node] for node, text in faults.items())


def test_json_of_more_than_a_mebibyte_is_refused() -> None:
    with pytest.raises(PolicyError, match="at most 1048576 bytes"):
        transfer.read_document(written({"a": {"label": "x" * LIMIT}}))
