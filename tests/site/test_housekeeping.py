"""Files that change under a running console, and refusals that the operator sees."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from core.access.models import OneTimeLogin, Throttle, User
from core.outbound.guard import Refusal
from core.outbound.purpose import Purpose
from events.models import Event
from nodes.models import Node
from sofiia_site.serving import housekeeping
from sofiia_site.serving.housekeeping import forget, registry_file
from sofiia_site.serving.refusals import RefusalReport

pytestmark = pytest.mark.django_db


@pytest.fixture
def registry(settings, tmp_path: Path) -> Path:
    """A registry file of our own with one node, seen by everybody."""
    settings.CONFIG_DIR = tmp_path
    path = tmp_path / "nodes_registry.yml"
    path.write_text('nodes: {N1: {label: "One", router_url: "http://127.0.0.1:9102"}}\n')
    return path


def told(type_: str) -> list[dict]:
    return [json.loads(event.data) for event in Event.objects.filter(type=type_)]


def test_a_changed_registry_is_applied_and_told(registry):
    file = registry_file()
    registry.write_text(
        'nodes: {N2: {label: "Two and more", router_url: "http://127.0.0.1:9103"}}\n'
    )

    file.look()

    assert Node.objects.active().filter(pk="N2").exists()
    assert told("policy.changed") == [{"policy": "nodes_registry"}]


def test_an_unchanged_registry_is_left_alone(registry):
    registry_file().look()

    assert not Node.objects.exists()


def test_a_broken_registry_changes_nothing_and_is_told_once_with_its_place(registry):
    file = registry_file()
    registry.write_text("nodes: {N1: {label: One, colour: blue}}\n")

    file.look()
    file.look()

    (event,) = told("error")
    assert event["code"] == "policy_invalid"
    assert "nodes_registry.yml:1:" in event["detail"]
    assert not Node.objects.exists()


def test_a_registry_that_vanishes_is_a_fault_and_not_an_empty_fleet(registry):
    file = registry_file()
    registry.unlink()

    file.look()

    assert told("error")[0]["code"] == "policy_invalid"


def test_a_change_that_the_database_was_too_busy_for_is_applied_later(registry, monkeypatch):
    file = registry_file()
    registry.write_text('nodes: {N2: {label: "Two", router_url: "http://127.0.0.1:9103"}}\n')
    with monkeypatch.context() as patched:
        patched.setattr(file, "apply", Mock(side_effect=OperationalError("locked")))
        with pytest.raises(OperationalError):
            file.look()

    file.look()

    assert Node.objects.active().filter(pk="N2").exists()


async def test_housekeeping_that_fails_is_tried_again_and_ends_nothing(monkeypatch):
    stop, turns = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    class FullDisk:
        def look(self) -> None:
            turns.append(1)
            if len(turns) == 2:
                loop.call_soon_threadsafe(stop.set)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(housekeeping, "FILES_EVERY_S", 0.01)
    await housekeeping._turn_until(stop, [FullDisk()], None)

    assert len(turns) == 2


def test_what_is_past_its_time_is_forgotten(settings):
    old = timezone.now() - timedelta(days=30)
    user = User.objects.create_user("olena", "x")
    OneTimeLogin.objects.create(digest="d", user=user, expires_at=old)
    Throttle.objects.create(bucket="b", window_ends_at=old)
    Session.objects.create(session_key="s" * 32, session_data="", expire_date=old)

    forget()

    assert not OneTimeLogin.objects.exists()
    assert not Throttle.objects.exists()
    assert not Session.objects.exists()


def refusal(host: str = "169.254.169.254") -> Refusal:
    return Refusal(Purpose.PROBE, "http", host, host, 80, "169.254.0.0/16 is always denied")


def test_refused_connections_become_one_event_per_kind():
    report = RefusalReport()
    for _ in range(3):
        report.note(refusal())
    report.note(refusal("10.0.0.1"))

    assert report.flush() == 2
    assert sorted((event["host"], event["count"]) for event in told("error")) == [
        ("10.0.0.1", 1),
        ("169.254.169.254", 3),
    ]


def test_a_refusal_that_repeats_is_not_told_again_at_once():
    report = RefusalReport()
    report.note(refusal())
    report.flush()
    report.note(refusal())

    assert report.flush() == 0


def test_a_flood_of_refusals_is_bounded():
    report = RefusalReport()
    for number in range(3000):
        report.note(refusal(f"10.0.{number // 250}.{number % 250}"))

    assert report.flush() == 1000


def test_the_files_that_are_watched_exist_in_the_checkout(settings):
    for file in (housekeeping.registry_file(), housekeeping.allowlist_file(tell=True)):
        assert file.path.is_file()
