"""Nodes that hang cost nobody else their turn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise

import pytest

from nodes.simulator import Character
from tests.harness import views
from tests.harness.fleet import running_fleet
from tests.harness.registry import config_of
from tests.harness.stream import ResumingReader
from tests.harness.waiting import eventually

INTERVAL_S = 5.0
CYCLES = 4
#: A probe may be this much later than one interval after the one before it, on a busy machine.
TOLERANCE_S = 1.5


def longest_wait(arrivals: Iterable[float]) -> float:
    """The longest time between two visits."""
    return max((later - earlier for earlier, later in pairwise(arrivals)), default=float("inf"))


@pytest.mark.slow
def test_every_honest_node_is_probed_in_every_interval(launch, tmp_path):
    with running_fleet(200, "honest=9,hanging=1") as fleet:
        console = launch(
            CONFIG_DIR=str(config_of(fleet.fleet, tmp_path / "config")),
            NODES_POLL_INTERVAL_SEC=str(INTERVAL_S),
            NODES_PROBE_TIMEOUT_SEC="2",
        )
        honest = fleet.fleet.of(Character.HONEST)
        hanging = fleet.fleet.of(Character.HANGING)
        with ResumingReader(console.ws_url, types="nodes.status") as reader:
            eventually(lambda: all(node.arrivals for node in honest), INTERVAL_S + 5)
            time.sleep(CYCLES * INTERVAL_S)  # what is watched is that time passes as it should
            watched_until = time.monotonic()
        states = views.nodes(console)

    for node in honest:
        visits = [*node.arrivals, watched_until]
        assert longest_wait(visits) < INTERVAL_S + TOLERANCE_S, node.node_id
        assert states[node.node_id]["status"] in ("online", "degraded")
    assert {states[node.node_id]["status"] for node in hanging} == {"offline"}
    names = {node.node_id for node in honest}
    changed = [state for frame in reader.frames for state in frame["data"]["changed"]]
    assert not [
        state for state in changed if state["node_id"] in names and state["status"] == "offline"
    ]
