"""Shared by every test: the services of the machine, and processes of the console's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.access import throttle
from core.audit import refusals
from tests.harness import services
from tests.harness.console import ConsoleProcess
from tests.harness.database import postgres_database

_left_out: Counter[str] = Counter()

Launch = Callable[..., ConsoleProcess]


def pytest_report_header() -> list[str]:
    """Which services were found."""
    missing = services.missing()
    return [f"{name}: {missing.get(name, 'found')}" for name in services.MARKERS]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what needs a service that is not there; where CI=true that is a failure."""
    for name, reason in services.missing().items():
        if item.get_closest_marker(name) is None:
            continue
        if services.must_have_everything():
            pytest.fail(f"CI=true and {name} is missing: {reason}", pytrace=False)
        _left_out[name] += 1
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, and why."""
    for name, count in _left_out.items():
        reason = services.missing()[name]
        terminalreporter.write_line(f"left out: {count} that need {name}: {reason}", yellow=True)


@pytest.fixture(autouse=True)
def _nobody_is_remembered() -> None:
    """What a process remembers of failures must not outlive the test that failed on purpose."""
    throttle.forget_full_buckets()
    refusals.forget_windows()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Makes consoles: `launch(ENV="prod", arguments=[…])`; started and healthy, killed after the test."""
    with ExitStack() as stack:

        def start(name: str = "data", **options: object) -> ConsoleProcess:
            process = ConsoleProcess(tmp_path / name, **options)  # type: ignore[arg-type]
            return stack.enter_context(process)

        yield start


@pytest.fixture
def console(launch: Launch) -> ConsoleProcess:
    """A console on SQLite with the shipped configuration."""
    return launch()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database, once of each kind; empty text is SQLite in the data directory."""
    if request.param == "sqlite":
        yield ""
        return
    with postgres_database() as url:
        yield url


@pytest.fixture
def console_on(database_url: str, launch: Launch) -> ConsoleProcess:
    """A console, once on SQLite and once on a PostgreSQL database of its own."""
    return launch(database_url=database_url)


@pytest.fixture
def console_with_redis(launch: Launch) -> ConsoleProcess:
    """A console whose doorbell is Redis; tests that use it carry the marker `redis`."""
    return launch(REDIS_URL=services.REDIS_URL)
