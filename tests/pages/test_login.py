"""Logging in, going where one wanted, and nowhere else."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command

from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def olena():
    """An operator with a password."""
    return make_user("olena", "operator", PASSWORD)


def log_in(client, password=PASSWORD, **more):
    return client.post("/ui/login", {"username": "olena", "password": password, **more})


def test_a_right_password_logs_in(client, olena):
    response = log_in(client)

    assert (response.status_code, response.headers["Location"]) == (302, "/ui/")
    assert client.session[SESSION_KEY] == str(olena.pk)


def test_a_wrong_password_says_so_and_keeps_the_name(client, olena):
    response = log_in(client, "wrong-password", next="/ui/events")

    text = response.content.decode()
    assert response.status_code == 401
    assert "The user name or the password is wrong." in text
    assert 'value="olena"' in text
    assert 'value="/ui/events"' in text
    assert "wrong-password" not in text
    assert SESSION_KEY not in client.session


def test_many_wrong_passwords_are_slowed_down(client, olena):
    statuses = [log_in(client, "wrong-password") for _ in range(30)]

    assert statuses[-1].status_code == 429
    assert "Retry-After" in statuses[-1].headers


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/ui/nodes/NODA1?range=7d", "/ui/nodes/NODA1?range=7d"),
        ("/admin/", "/admin/"),
        ("", "/ui/"),
        ("ui/", "/ui/"),
        ("//evil.example", "/ui/"),
        ("///evil.example", "/ui/"),
        ("/\\evil.example", "/ui/"),
        ("\\\\evil.example", "/ui/"),
        ("https://evil.example/ui/", "/ui/"),
        ("https:evil.example", "/ui/"),
        ("javascript:alert(1)", "/ui/"),
        ("data:text/html,x", "/ui/"),
        (" /ui/", "/ui/"),
        ("/\t/evil.example", "/ui/"),
        ("/\n/evil.example", "/ui/"),
        ("/ui/\r\nSet-Cookie: a=b", "/ui/"),
        ("/ui/\x00", "/ui/"),
        ("/\u2028/evil", "/ui/"),
        ("/" + "a" * 5000, "/ui/"),
    ],
)
def test_the_way_on_stays_in_this_console(client, olena, target, goes_to):
    assert log_in(client, next=target).headers["Location"] == goes_to


def test_who_is_logged_in_does_not_see_the_form_again(as_role):
    response = as_role("viewer").get("/ui/login?next=/ui/events")

    assert (response.status_code, response.headers["Location"]) == (302, "/ui/events")


def test_who_may_not_administer_is_not_sent_round_in_circles(as_role):
    response = as_role("operator").get("/admin/", follow=True)

    assert response.status_code == 200
    assert "may not administer" in response.content.decode()


def test_logging_out_ends_the_session_and_needs_a_post(as_role):
    client = as_role("viewer")

    assert client.get("/ui/logout").status_code == 405
    assert client.post("/ui/logout").headers["Location"] == "/ui/login?out=1"
    assert SESSION_KEY not in client.session


def test_the_login_form_is_never_kept(client, db):
    assert "no-store" in client.get("/ui/login").headers["Cache-Control"]


def test_before_there_is_an_admin_it_tells_of_the_link_in_the_terminal(client, olena):
    assert "one-time link in its terminal" in client.get("/ui/login").content.decode()


def test_who_lost_a_password_learns_which_command_sets_one(client, monkeypatch):
    make_user("admin", "admin", PASSWORD)
    assert "manage.py changepassword NAME" in client.get("/ui/login").content.decode()

    monkeypatch.setattr("getpass.getpass", lambda prompt: "another-long-secret")
    call_command("changepassword", "admin", stdout=StringIO())
    data = {"username": "admin", "password": "another-long-secret"}
    assert client.post("/ui/login", data).status_code == 302
