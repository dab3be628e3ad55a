"""`NODES_<ID>_<FIELD>`: what cannot be used is refused by the variable's name, and its value is never repeated."""

import pytest

from nodes.registry import environment_overrides

KNOWN = ["NODA1", "edge-1.kyiv"]
UNUSABLE = {
    "NODES_NODA1_ROUTER_URL": [
        "", " ", "10.0.0.5:9102", "http://10.0.0.5:9102\r\nX-Evil: 1", "http://10.0.0.5:٩١٠٢", "http://u:hunter2@10.0.0.5",
        "ftp://10.0.0.5", "http://0x7f.1", "http://" + "a" * 1_000_000, "self", "http://10.0.0.5/?x=1", "http://x\u202e.example",
    ],
    "NODES_NODA1_LABEL": ["", "a\r\nb", "\x1b[31mred", "x" * 1_000_000],
}  # fmt: skip
CASES = [(name, value) for name, values in UNUSABLE.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda text: repr(text)[:40])
def test_a_value_that_cannot_be_used_names_the_variable_only(name: str, value: str) -> None:
    overrides, faults = environment_overrides({name: value}, KNOWN)

    assert overrides == {}
    assert len(faults) == 1
    assert faults[0].startswith(f"{name} ")
    assert len(faults[0]) < 300
    assert not value.strip() or value not in faults[0]
    assert "hunter2" not in faults[0]


@pytest.mark.parametrize(
    "name",
    ["NODES_NODA9_ROUTER_URL", "NODES__LABEL", "NODES_NODA1_ROUTERURL_URL", "NODES_ROUTER_URL"],
)
def test_a_variable_of_no_known_node_is_a_fault(name: str) -> None:
    overrides, faults = environment_overrides({name: "http://10.0.0.5"}, KNOWN)

    assert overrides == {}
    assert [fault.split()[0] for fault in faults] == [name]


def test_an_id_with_dots_and_hyphens_is_found_in_either_case() -> None:
    for part in ("edge_1_kyiv", "EDGE_1_KYIV"):
        overrides, faults = environment_overrides(
            {f"NODES_{part}_GATEWAY_URL": "http://10.0.0.5:9300/"}, KNOWN
        )

        assert faults == []
        assert list(overrides) == [part]


def test_the_consoles_own_variables_are_no_overrides() -> None:
    environ = {
        "NODES_POLL_INTERVAL_SEC": "30",
        "NODES_PROBE_TIMEOUT_SEC": "5",
        "NODES_OFFLINE_AFTER": "2",
    }

    assert environment_overrides(environ, KNOWN) == ({}, [])
