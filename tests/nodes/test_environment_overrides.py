"""NODES_<ID>_<FIELD>: what is taken, and how a wrong one is reported."""

from __future__ import annotations

import pytest

from nodes.registry import environment_overrides

KNOWN = {"NODA1", "edge-1", "edge.1"}


def test_it_takes_the_four_fields() -> None:
    overrides, faults = environment_overrides(
        {
            "NODES_NODA1_ROUTER_URL": "http://10.0.0.5:9102",
            "NODES_NODA1_GATEWAY_URL": "https://gw.example/base",
            "NODES_NODA1_MONITOR_URL": "self",
            "NODES_NODA1_LABEL": "Production ○",
        },
        KNOWN,
    )

    assert faults == []
    assert overrides == {
        "NODA1": {
            "router_url": "http://10.0.0.5:9102",
            "gateway_url": "https://gw.example/base",
            "monitor_url": "self",
            "label": "Production ○",
        }
    }


@pytest.mark.parametrize(
    "name",
    [
        "NODES_POLL_INTERVAL_SEC",
        "NODES_PROBE_TIMEOUT_SEC",
        "NODES_OFFLINE_AFTER",
        "NODES_PORT",
        "PATH",
    ],
)
def test_variables_that_only_share_the_prefix_are_left_alone(name: str) -> None:
    assert environment_overrides({name: "whatever"}, KNOWN) == ({}, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODES_NODA1_ROUTER_URL", "ftp://secret-host/"),
        ("NODES_NODA1_ROUTER_URL", "http://user:secret@host/"),
        ("NODES_NODA1_ROUTER_URL", "http://secret:99999"),
        ("NODES_NODA1_ROUTER_URL", "http://secret\r\nX-Evil: 1"),
        ("NODES_NODA1_ROUTER_URL", "http://secret/?token=1"),
        ("NODES_NODA1_ROUTER_URL", "self"),
        ("NODES_NODA1_ROUTER_URL", ""),
        ("NODES_NODA1_ROUTER_URL", "http://" + "secret" * 1000),
        ("NODES_NODA1_LABEL", ""),
        ("NODES_NODA1_LABEL", "secret\nline"),
        ("NODES_NODA1_LABEL", "secret" * 100),
        ("NODES_NODA7_ROUTER_URL", "http://secret:1"),
        ("NODES_NODA1_ROUTR_URL", "http://secret:1"),
        ("NODES_edge_1_LABEL", "secret"),
        ("NODES_EDGE_1_LABEL", "secret"),
    ],
)
def test_a_fault_names_the_variable_and_hides_the_value(name: str, value: str) -> None:
    overrides, faults = environment_overrides({name: value}, KNOWN)

    assert overrides == {}
    assert len(faults) == 1
    assert faults[0].startswith(name)
    assert "secret" not in faults[0]
    assert len(faults[0]) < 300


def test_all_faults_are_told_at_once_and_good_ones_still_count() -> None:
    overrides, faults = environment_overrides(
        {
            "NODES_NODA1_ROUTER_URL": "nonsense",
            "NODES_NODA1_GATEWAY_URL": "",
            "NODES_NODA1_MONITOR_URL": "http://10.0.0.5:1",
        },
        KNOWN,
    )

    assert len(faults) == 2
    assert overrides == {"NODA1": {"monitor_url": "http://10.0.0.5:1"}}


def test_ids_are_not_judged_where_the_registry_is_not_known() -> None:
    assert environment_overrides({"NODES_LATER_LABEL": "x"})[1] == []
