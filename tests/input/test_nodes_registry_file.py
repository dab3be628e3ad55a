"""`nodes_registry.yml`: what an operator may write, and what he is told when it is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest

from core.policies.errors import PolicyError
from core.policies.loader import parse_policy
from nodes.policy import FILE_NAME, NodesRegistry, load_registry, variable_part

RUNBOOK = """
nodes:
  NODA1:
    label: "Production (NODA1)"
    router_url: "http://10.0.0.5:9102"
    gateway_url: "http://10.0.0.5:9300"
  NODA2:
    label: "Control Plane (NODA2)"
    router_url: "http://localhost:8000"
    monitor_url: "http://localhost:8000"
"""
RICH = """
version: 1
defaults: {poll_interval: 30s, timeout: 3s, offline_after: 2, online_after: 1, stale_after: 90s,
           paths: [/monitor/status, /healthz]}
witnesses: ["http://10.0.0.1/", "https://status.example.net/"]
nodes:
  NODA1: {label: "Production (NODA1)", role: runtime, env: prod, router_url: "http://10.0.0.5:9102/",
          gateway_url: "http://10.0.0.5:9300", auth_ref: "env:SUPERVISOR_API_KEY", depends_on: [], labels: {team: core},
          tags: [gpu], paused: false, poll_interval: 500ms,
          require: {backends: {alerts: [postgres]}, artifact_max_age: {risk_digest: 36h, platform_digest: 9d}}}
  NODA2: {monitor_url: self, depends_on: [NODA1]}
"""


def read(text: str) -> NodesRegistry:
    return parse_policy(text.encode(), Path(FILE_NAME), NodesRegistry).value


def fault(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read(text)
    return str(caught.value).removeprefix(f"{FILE_NAME}:")


def given(text: str) -> dict[str, Any]:
    return read(text).model_dump(mode="json", exclude_unset=True)


def test_the_runbooks_form_is_valid() -> None:
    nodes = given(RUNBOOK)["nodes"]

    assert list(nodes) == ["NODA1", "NODA2"]
    assert nodes["NODA2"] == {
        "label": "Control Plane (NODA2)",
        "router_url": "http://localhost:8000",
        "monitor_url": "http://localhost:8000",
    }


def test_the_rich_form_is_valid_and_can_be_stored() -> None:
    data = given(RICH)
    node = data["nodes"]["NODA1"]

    assert data["defaults"]["stale_after"] == 90.0
    assert data["witnesses"] == ["http://10.0.0.1", "https://status.example.net"]
    assert node["router_url"] == "http://10.0.0.5:9102"
    assert node["poll_interval"] == 0.5
    assert node["auth_ref"] == "env:SUPERVISOR_API_KEY"
    assert node["require"]["artifact_max_age"] == {
        "risk_digest": 129_600.0,
        "platform_digest": 777_600.0,
    }
    assert data["nodes"]["NODA2"] == {"monitor_url": "self", "depends_on": ["NODA1"]}


def test_what_is_not_given_is_none() -> None:
    spec = read("nodes: {A: {}}").nodes["A"]

    assert {getattr(spec, name) for name in type(spec).model_fields} == {None}
    assert read("{}").nodes == {}


def test_an_id_is_the_text_that_was_written() -> None:
    ids = ["NO", "off", "edge-1.kyiv", "a_b", "...x", "2026-02-25"]

    assert list(read("nodes:\n" + "".join(f"  {node_id}: {{}}\n" for node_id in ids)).nodes) == ids


BAD_IDS = ['""', "a b", "ä", "a/b", "..", ".", '"a\\n"', "a:b", "x" * 65, "٣", '"<script>"']


@pytest.mark.parametrize("node_id", BAD_IDS)
def test_it_refuses_ids_that_a_url_or_a_variable_could_not_carry(node_id: str) -> None:
    assert "expected a node id of 1 to 64 letters" in fault(f"nodes:\n  {node_id}: {{}}")


def test_it_refuses_a_node_that_is_given_twice() -> None:
    assert fault("nodes:\n  NODA1: {}\n  NODA2: {}\n  NODA1: {}") == (
        '4:3: the key "NODA1" is given twice: in line 2 and in line 4'
    )


@pytest.mark.parametrize("pair", [("A-B", "A.B"), ("A_B", "A-B"), ("noda1", "NODA1")])
def test_it_refuses_nodes_whose_variables_would_clash(pair: tuple[str, str]) -> None:
    first, second = pair
    message = fault(f"nodes:\n  {first}: {{}}\n  {second}: {{}}")

    assert message.startswith("3:3: ")
    assert f"NODES_{variable_part(first).upper()}_… would mean {first} too" in message


BAD_URLS = ["", "10.0.0.5:9102", "ftp://x", "http://", "http://u:p@x", "http://x:0", "http://x:99999", "http://a b", "http://x/#f",
            "http://x/?q=1", "file:///etc/passwd", "http://0x7f.1", "http://2130706433", "http://[::1", "http://x\\\\y", "self"]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("field", ["router_url", "gateway_url"])
def test_it_refuses_addresses_that_can_be_read_in_two_ways(field: str, url: str) -> None:
    message = fault(f'nodes:\n  A:\n    {field}: "{url}"')

    assert re.match(rf"3:\d+: nodes\.A\.{field}: expected a", message)


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert "hunter2" not in fault('nodes: {A: {router_url: "http://admin:hunter2@10.0.0.5/"}}')


FAULTS = {
    "nodes: {A: {monitor_url: SELF}}": "1:26: nodes.A.monitor_url: expected an address",
    "nodes: {A: {auth_ref: s3cret}}": "1:23: nodes.A.auth_ref: expected env:NAME",
    "nodes: {A: {auth_ref: 'env:SECRET_KEY'}}": "1:23: nodes.A.auth_ref: expected another variable",
    "nodes: {A: {router_ulr: x}}": '1:13: nodes.A.router_ulr: unknown key, did you mean "router_url"?',
    "nodes: {A: {paused: no}}": "1:21: nodes.A.paused: expected true or false",
    "nodes: {A: {timeout: 3}}": "1:22: nodes.A.timeout: expected a number with its unit",
    "nodes: {A: {timeout: 1h}}": "1:22: nodes.A.timeout: expected a duration from 100ms to 5m",
    "nodes: {A: {poll_interval: 1ms}}": "1:28: nodes.A.poll_interval: expected a duration from 500ms",
    "nodes: {A: {offline_after: 0}}": "1:28: nodes.A.offline_after: expected greater than or equal to 1",
    "nodes: {A: {label: 5}}": "1:20: nodes.A.label: expected text, found a number, put it in quotes",
    'nodes: {A: {label: "a\\nb"}}': "1:20: nodes.A.label: expected a line of text",
    "nodes: {A: {labels: {a-b: x}}}": "1:22: nodes.A.labels.a-b: expected a name of letters, digits and _",
    "nodes: {A: {tags: gpu}}": "1:19: nodes.A.tags: expected a list, found text",
    "nodes: {A: {require: {backends: {alerts: postgres}}}}": (
        "1:42: nodes.A.require.backends.alerts: expected a list, found text"
    ),
    "nodes: {A: {require: {artifact_max_age: {risk_digest: 36}}}}": (
        "1:55: nodes.A.require.artifact_max_age.risk_digest: expected a number with its unit"
    ),
    "nodes: {A: }": "1:12: nodes.A: expected a mapping (key: value), found nothing",
    "nodes: [A]": "1:8: nodes: expected a mapping (key: value), found a list",
    "witnesses: [x]": "1:13: witnesses[0]: expected an address",
    "defaults: {paths: [/etc]}": "1:20: defaults.paths[0]: expected '/monitor/status', '/healthz' or '/health'",
    "nodes: {A: {depends_on: [B]}}": "1:26: nodes.A.depends_on[0]: there is no node B",
    "nodes: {A: {depends_on: [A]}}": "1:25: nodes.A.depends_on: goes in a circle: A → A",
    "nodes: {A: {depends_on: [B]}, B: {depends_on: [C]}, C: {depends_on: [A]}}": (
        "1:25: nodes.A.depends_on: goes in a circle: A → B → C → A"
    ),
    "nodes: {E: {depends_on: [A]}, A: {depends_on: [B]}, B: {depends_on: [A]}}": (
        "1:47: nodes.A.depends_on: goes in a circle: A → B → A"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS.items(), ids=lambda value: repr(value)[:50])
def test_it_says_what_is_wrong_and_where(text: str, message: str) -> None:
    assert fault(text).startswith(message)


def test_a_long_chain_of_dependencies_is_no_circle() -> None:
    chain = "".join(f"  n{n}: {{depends_on: [n{n + 1}]}}\n" for n in range(1500))

    assert len(read(f"nodes:\n{chain}  n1500: {{}}\n").nodes) == 1501


def test_the_registry_is_found_in_the_configured_directory(settings: Any, tmp_path: Path) -> None:
    settings.CONFIG_DIR = tmp_path
    with pytest.raises(PolicyError, match=r"^nodes_registry\.yml:1:1: cannot be read: "):
        load_registry()

    (tmp_path / FILE_NAME).write_text(RUNBOOK)
    assert list(load_registry().value.nodes) == ["NODA1", "NODA2"]

    settings.CONFIG_DIR = None
    with pytest.raises(PolicyError, match="CONFIG_DIR"):
        load_registry()


def test_a_fleet_of_thousands_fits_into_the_file(settings: Any, tmp_path: Path) -> None:
    settings.CONFIG_DIR = tmp_path
    lines = (f"  edge-{n}:\n    label: Edge number {n}\n    router_url: http://10.0.{n % 250}.7:9102\n"
             f"    monitor_url: http://10.0.{n % 250}.7:9102\n    tags: [edge]\n" for n in range(5000))  # fmt: skip
    (tmp_path / FILE_NAME).write_text("nodes:\n" + "".join(lines))

    assert len(load_registry().value.nodes) == 5000
