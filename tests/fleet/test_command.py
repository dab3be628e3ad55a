"""`manage.py simulate_fleet`, the real command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml

from tests.harness.console import CHECKOUT, child_environment

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def simulate(tmp_path: Path) -> Iterator[Command]:
    """Starts the command; whatever still runs after the test is ended."""
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "manage.py", "simulate_fleet", *arguments],
                    cwd=CHECKOUT,
                    env=child_environment({"DATA_DIR": str(tmp_path / "data")}),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def test_it_runs_until_it_is_told_to_stop(simulate):
    process = simulate("--nodes", "3", "--mix", "honest=1", "--base-port", "0", "--json")
    fleet = json.loads(process.stdout.readline())

    assert len(fleet["nodes"]) == 3
    for node in fleet["nodes"]:
        assert httpx.get(node["url"] + "/monitor/status", trust_env=False).json()["online"] is True
    assert httpx.get(fleet["control"] + "/_sim", trust_env=False).status_code == 200

    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert process.stderr.read() == ""


def test_it_prints_a_registry(simulate):
    arguments = ("--nodes", "9", "--mix", "honest=7,router=1,gateway=1", "--base-port", "0")
    output, _ = simulate(*arguments, "--yaml", "--for", "0.1").communicate(timeout=20)
    nodes = yaml.safe_load(output)["nodes"]

    assert len(nodes) == 9
    assert all("simulated" in node["tags"] for node in nodes.values())
    by_character = {node["labels"]["character"]: set(node) for node in nodes.values()}
    assert {"monitor_url", "router_url", "gateway_url"} <= by_character["honest"]
    assert "monitor_url" not in by_character["router"] | by_character["gateway"]


@pytest.mark.parametrize(
    "arguments",
    [("--nodes", "0"), ("--mix", "polite=1"), ("--base-port", "80"), ("--base-port", "65535")],
)
def test_what_it_cannot_do_it_says_in_one_line(simulate, arguments):
    process = simulate(*arguments)
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert len(errors.strip().splitlines()) == 1
