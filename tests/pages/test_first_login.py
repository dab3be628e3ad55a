"""The one-time link of the first start."""

from __future__ import annotations

import pytest

from core.access.models import User
from core.access.sessions import issue_first_login
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
FORM = {"username": "olena", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def address():
    return f"/ui/welcome/{issue_first_login()}"


def test_the_link_makes_the_admin_and_logs_in(client, address):
    assert client.get(address).status_code == 200
    response = client.post(address, FORM)

    assert response.headers["Location"] == "/ui/"
    assert User.objects.get().role == "admin"
    assert "olena" in client.get("/ui/").content.decode()


def test_it_works_once(client, address):
    client.post(address, FORM)

    assert client.get(address).status_code == 410
    assert client.post(address, FORM).status_code == 410


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"again": "something-else"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "too short"),
        ({"username": "no spaces"}, "letters, digits"),
        ({"username": ""}, "required"),
    ],
)
def test_what_is_wrong_is_said_and_uses_nothing_up(client, address, change, says):
    response = client.post(address, FORM | change)

    assert response.status_code == 422
    assert says in response.content.decode()
    assert client.post(address, FORM).status_code == 302


def test_a_made_up_link_is_gone_and_says_what_to_do(client, db):
    response = client.get("/ui/welcome/made-up")

    assert response.status_code == 410
    assert "This link has been used or is too old" in response.content.decode()
    assert "start the console again" in response.content.decode()


def test_a_used_link_sends_to_the_login(client, address):
    client.post(address, FORM)

    assert "There is an admin already: log in" in client.get(address).content.decode()
