"""`serve --fleet`: a console with something to see."""

from __future__ import annotations

import random
import time

from tests.harness import views
from tests.harness.fleet import running_fleet
from tests.harness.registry import config_of
from tests.harness.waiting import eventually

QUICK = {"NODES_POLL_INTERVAL_SEC": "1", "NODES_PROBE_TIMEOUT_SEC": "1"}
#: A probe that died with its poller is taken over when its lease has run out: its time-out and a margin.
LEASE_S = 12
EXPECTED = {
    "honest": {"online", "degraded"},  # one in ten keeps its alerts in memory
    "edge": {"online"},
    "router": {"online"},
    "gateway": {"online"},
    "dagi": {"online"},
    "slow": {"online", "degraded"},
    "hanging": {"offline"},
    "hostile": {"degraded", "offline"},
}
SOURCES = {"honest": "monitor", "edge": "healthz", "router": "health", "dagi": "health"}


def character(node):
    """What the node's tags say it is."""
    return next((tag for tag in node["tags"] if tag != "simulated"), "")


def is_as_expected(node):
    return node["status"] in EXPECTED.get(character(node), {node["status"]})


def test_every_character_is_judged_by_what_it_does(launch):
    console = launch(arguments=["--fleet", "12"], **QUICK)
    eventually(lambda: len(views.nodes(console)) == 14, 10)
    eventually(lambda: all(map(is_as_expected, views.nodes(console).values())), 15)

    for node in views.nodes(console).values():
        source = SOURCES.get(character(node))
        assert source is None or node["probe"]["source"] == source
    assert "Traceback" not in console.log_text


def test_a_restart_finds_the_same_fleet_and_edits_nothing(launch):
    console = launch(arguments=["--fleet", "3"], **QUICK)
    eventually(lambda: len(views.nodes(console)) == 5, 10)
    console.restart()
    eventually(lambda: len(views.nodes(console)) == 5, 10)
    assert console.get("/api/nodes/sim-001").json()["label"].startswith("Simulated")


def wait_for_a_round(fleet, since=0.0):
    """Until every node has been asked after `since`."""
    eventually(
        lambda: all(node.arrivals and node.arrivals[-1] > since for node in fleet.nodes), LEASE_S
    )


def test_a_poller_killed_at_any_moment_accuses_nobody_and_forgets_nobody(launch, tmp_path):
    with running_fleet(60) as fleet:
        console = launch(CONFIG_DIR=str(config_of(fleet.fleet, tmp_path / "config")), **QUICK)
        wait_for_a_round(fleet)
        time.sleep(random.Random(2).uniform(0, 1))  # the moment of death is meant to be arbitrary
        console.kill()
        killed = time.monotonic()
        console.start()
        wait_for_a_round(fleet, since=killed)
        events = console.get("/api/events", params={"type": "nodes.status", "limit": 500})

    changed = [state for event in events.json()["items"] for state in event["data"]["changed"]]
    assert {state["status"] for state in changed} <= {"online", "degraded", "unknown"}
