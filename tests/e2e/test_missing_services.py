"""A machine without PostgreSQL, Redis or Chromium: the suite says what it left out, and CI does not accept that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.harness.console import CHECKOUT, child_environment, free_port

PROBE = "tests/e2e/probe_of_missing_services.py"


def run_probe(**variables: str) -> subprocess.CompletedProcess[str]:
    """Tests that need every service, on a machine that has none."""
    nowhere = f"127.0.0.1:{free_port()}"
    gone = {
        "TEST_POSTGRES_URL": f"postgres://postgres@{nowhere}/postgres",
        "TEST_REDIS_URL": f"redis://{nowhere}/0",
        "TEST_CHROMIUM": "/nowhere/chromium",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", PROBE, "-p", "no:cacheprovider"],
        cwd=CHECKOUT,
        env=child_environment({**gone, **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_left_out_is_said_with_the_reason():
    ended = run_probe()

    assert ended.returncode == 0, ended.stdout
    assert "3 skipped" in ended.stdout
    for name in ("postgres", "redis", "browser"):
        assert f"left out: 1 that need {name}: " in ended.stdout


@pytest.mark.parametrize("ci", ["true", "TRUE"])
def test_in_ci_a_missing_service_is_a_failure(ci):
    ended = run_probe(CI=ci)

    assert ended.returncode == 1
    assert "CI=true and postgres is missing" in ended.stdout
    assert "3 error" in ended.stdout
