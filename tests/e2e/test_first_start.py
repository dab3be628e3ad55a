"""A fresh machine: one command, and the console lives."""

from __future__ import annotations

import stat

from tests.factories import PASSWORD
from tests.harness import views
from tests.harness.waiting import eventually

QUICK = {"NODES_POLL_INTERVAL_SEC": "1", "NODES_PROBE_TIMEOUT_SEC": "1"}


def test_an_empty_data_directory_becomes_a_living_console(launch):
    console = launch(**QUICK)

    health = console.get("/api/health").json()
    assert (health["service"], health["status"]) == ("sofiia-console", "ok")
    assert health["version"].startswith("0.3.")
    assert f"{console.url}/ui/" in console.log_text
    assert console.login_url, "no one-time login was printed"

    eventually(lambda: views.node(console, "NODA2")["status"] == "online", 10)
    away = eventually(
        lambda: (node := views.node(console, "NODA1"))["status"] == "offline" and node, 10
    )
    assert "NODES_NODA1_ROUTER_URL" in away["hint"]
    eventually(lambda: console.get("/readyz").status_code == 200, 5)


def test_a_second_start_takes_less_than_three_seconds(launch):
    console = launch(**QUICK)
    assert console.terminate() == 0

    console.start()

    assert console.started_in_s < 3


def test_the_one_time_login_is_printed_until_there_is_an_admin(launch):
    console = launch(**QUICK)
    first = console.login_url
    console.restart()
    assert console.login_url != first, "nobody has used it, so there is a new one"

    console.manage(
        "createsuperuser", "--noinput", "--username", "olena", DJANGO_SUPERUSER_PASSWORD=PASSWORD
    )
    said = len(console.log_text)
    console.restart()
    assert "/ui/welcome/" not in console.log_text[said:]


def test_the_one_time_login_opens_a_page_and_a_wrong_one_does_not(launch):
    console = launch(**QUICK)
    assert console.login_url
    path = console.login_url.removeprefix(console.url)

    assert console.get(path).status_code == 200
    assert console.get(path).status_code == 200, "looking at it does not use it up"
    assert console.get("/ui/welcome/wrong-token").status_code in (403, 404, 410)


def test_what_is_secret_is_for_the_owner_alone(launch):
    console = launch(**QUICK)

    assert stat.S_IMODE((console.data_dir / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(console.data_dir.stat().st_mode) & 0o077 == 0
