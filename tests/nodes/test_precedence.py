"""Environment, operator, file, default: whose value counts."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.models import Node
from nodes.registry import Sourced, effective


@pytest.mark.parametrize(
    ("declared", "overrides", "variable", "expected"),
    [
        ({}, {}, None, Sourced(None, "default")),
        ({"router_url": "http://yaml:1"}, {}, None, Sourced("http://yaml:1", "yaml")),
        ({}, {"router_url": "http://admin:1"}, None, Sourced("http://admin:1", "admin")),
        (
            {"router_url": "http://yaml:1"},
            {"router_url": "http://admin:1"},
            None,
            Sourced("http://admin:1", "admin"),
        ),
        (
            {"router_url": "http://yaml:1"},
            {"router_url": "http://admin:1"},
            "http://env:1",
            Sourced("http://env:1", "env"),
        ),
        ({"router_url": "http://yaml:1"}, {}, "http://env:1", Sourced("http://env:1", "env")),
        (None, {}, "http://env:1", Sourced("http://env:1", "env")),
        ({"router_url": "http://yaml:1/"}, {}, None, Sourced("http://yaml:1", "yaml")),
    ],
)
def test_the_nearest_source_wins(
    declared: Any, overrides: Any, variable: str | None, expected: Sourced, set_environment: Any
) -> None:
    if variable:
        set_environment(NODES_NODA1_ROUTER_URL=variable)

    node = effective(Node(node_id="NODA1", declared=declared, overrides=overrides))

    assert node.fields["router_url"] == expected


@pytest.mark.parametrize("variable", ["NODES_edge_1_kyiv_LABEL", "NODES_EDGE_1_KYIV_LABEL"])
def test_hyphens_and_dots_of_an_id_are_underscores_in_the_variable(
    variable: str, set_environment: Any
) -> None:
    set_environment(**{variable: "Kyiv"})

    assert effective(Node(node_id="edge-1.kyiv")).label == "Kyiv"


def test_a_variable_as_the_id_is_written_outranks_one_in_capitals(set_environment: Any) -> None:
    set_environment(NODES_edge_LABEL="exact", NODES_EDGE_LABEL="capitals")

    assert effective(Node(node_id="edge")).label == "exact"


def test_the_environment_gives_the_pace_where_nobody_else_does(
    settings: Any, write_registry: Any
) -> None:
    write_registry({"nodes": {}})

    node = effective(Node(node_id="a"))

    assert node.fields["poll_interval"] == Sourced(settings.ENVIRONMENT.poll_interval_s, "default")
    assert node.stale_after == 2 * node.poll_interval + node.timeout


def test_the_defaults_of_the_file_outrank_the_environments(write_registry: Any) -> None:
    write_registry({"defaults": {"poll_interval": "7s", "offline_after": 9}, "nodes": {}})

    node = effective(Node(node_id="a", declared={"offline_after": 3}))

    assert node.fields["poll_interval"] == Sourced(7.0, "default")
    assert node.fields["offline_after"] == Sourced(3, "yaml")


def test_a_broken_file_leaves_the_defaults_before_it_in_force(
    write_registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_registry({"defaults": {"timeout": "2s"}, "nodes": {}})
    assert effective(Node(node_id="a")).timeout == 2

    monkeypatch.setattr("nodes.file_defaults.LOOK_EVERY_S", 0)
    path.write_text("defaults: [")

    assert effective(Node(node_id="a")).timeout == 2


def test_a_node_is_probed_at_its_monitor_then_gateway_then_router() -> None:
    urls = {"router_url": "http://r:1", "gateway_url": "http://g:1", "monitor_url": "http://m:1"}

    def probed(*names: str) -> str | None:
        overrides = {name: urls[name] for name in names}
        return effective(Node(node_id="a", overrides=overrides)).probe_url

    assert probed("router_url", "gateway_url", "monitor_url") == "http://m:1"
    assert probed("router_url", "gateway_url") == "http://g:1"
    assert probed("router_url") == "http://r:1"
    assert probed() is None
