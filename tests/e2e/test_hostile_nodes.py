"""Every hostile body that the simulator knows, sent to a real console at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.simulator.hostile import ACTS
from tests.harness import views
from tests.harness.console import ConsoleProcess
from tests.harness.fleet import running_fleet
from tests.harness.registry import config_of
from tests.harness.waiting import eventually

#: An answer that cannot be read is an answer; these two are none.
NO_ANSWER = {"drip", "reset_at_once"}
GROWTH_KB = 40_000


def resident_kb(pid: int) -> int:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A console that has met every act several times: (console, act by node id, growth of its memory in kB)."""
    folder = tmp_path_factory.mktemp("hostile")
    with running_fleet(len(ACTS), "hostile=1") as fleet:
        acts = {}
        for node, act in zip(fleet.nodes, ACTS, strict=True):
            node.become(node.character, act)
            acts[node.node_id] = act
        with ConsoleProcess(
            folder / "data",
            CONFIG_DIR=str(config_of(fleet.fleet, folder / "config")),
            NODES_POLL_INTERVAL_SEC="1",
            NODES_PROBE_TIMEOUT_SEC="1",
        ) as console:
            eventually(lambda: all(len(node.arrivals) >= 2 for node in fleet.nodes), 15)
            before = resident_kb(console.pid)
            eventually(lambda: all(len(node.arrivals) >= 5 for node in fleet.nodes), 20)
            yield console, acts, resident_kb(console.pid) - before


def test_no_node_is_taken_for_healthy_and_every_one_has_a_reason(attacked):
    console, acts, _ = attacked
    states = views.nodes(console)

    assert set(states) == set(acts)
    for node_id, act in acts.items():
        state = states[node_id]
        expected = "offline" if act in NO_ANSWER else "degraded"
        assert state["status"] == expected, (act, state["reasons"])
        assert state["reasons"], act


def test_what_is_told_of_them_is_strict_json_and_short(attacked):
    console, acts, _ = attacked
    for node_id, act in acts.items():
        text = console.get(f"/api/nodes/{node_id}").text
        json.loads(text, parse_constant=refuse)
        assert len(text) < 20_000, act


def refuse(constant: str) -> None:
    """NaN and Infinity are no JSON."""
    raise AssertionError(constant)


def test_the_console_does_not_swell(attacked):
    _, _, growth_kb = attacked
    assert growth_kb < GROWTH_KB


def test_nothing_broke(attacked):
    console, _, _ = attacked
    assert "Traceback" not in console.log_text
    assert console.get("/readyz").status_code == 200
