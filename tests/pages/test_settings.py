"""Settings: one's own password, and API keys that are shown once."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from core.access.models import ApiKey
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
KEY = {"name": "ci", "scopes": ["read", "ops"], "days": "30"}


def secret_in(response) -> str:
    found = re.search(r'id="new-key">([^<]+)<', response.content.decode())
    return found[1] if found else ""


def test_a_new_key_is_shown_once_and_works(as_role, client):
    admin = as_role("admin")

    made = admin.post("/ui/settings/keys", KEY)
    shown = admin.get(made.headers["Location"])
    secret = secret_in(shown)

    assert made.status_code == 302
    assert shown.headers["Cache-Control"] == "no-store"
    assert secret.startswith("sofiia_")
    assert secret not in admin.get("/ui/settings").content.decode()
    me = client.get("/api/me", headers={"Authorization": f"Bearer {secret}"})
    assert sorted(me.json()["rights"]) == ["ops", "read"]


def test_a_revoked_key_stays_in_the_list_and_works_no_more(as_role, client):
    admin = as_role("admin")
    secret = secret_in(admin.post("/ui/settings/keys", KEY, follow=True))

    admin.post(f"/ui/settings/keys/{ApiKey.objects.get().key_id}/revoke")

    assert "revoked" in admin.get("/ui/settings").content.decode()
    assert client.get("/api/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "Give the key a name."),
        ({"name": "<b>"}, "letters, digits"),
        ({"scopes": []}, "Choose at least one scope."),
        ({"scopes": ["root"]}, "not one of the available choices"),
        ({"days": "9999"}, ""),
    ],
)
def test_a_wrong_key_form_says_what_is_wrong_and_makes_nothing(as_role, change, says):
    response = as_role("admin").post("/ui/settings/keys", KEY | change)

    assert response.status_code == 422
    assert says in response.content.decode()
    assert not ApiKey.objects.exists()


def test_loading_the_page_again_makes_no_other_key_and_keeps_no_secret(as_role):
    admin = as_role("admin")
    secret = secret_in(admin.post("/ui/settings/keys", KEY, follow=True))

    assert secret
    assert secret_in(admin.get("/ui/settings")) == ""
    assert ApiKey.objects.count() == 1
    assert secret not in str(dict(admin.session))


def test_between_form_and_page_the_key_is_with_its_owner_only(as_role):
    admin = as_role("admin")
    made = admin.post("/ui/settings/keys", KEY)

    cookie = made.cookies["sofiia_new_key"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/ui/settings"
    assert cookie.value not in str(dict(admin.session))


def test_a_made_up_key_is_not_shown_as_new(as_role):
    admin = as_role("admin")
    admin.cookies["sofiia_new_key"] = "sofiia_000000000000_<b>"

    assert secret_in(admin.get("/ui/settings")) == ""


def test_a_second_key_of_a_name_in_use_is_refused(as_role):
    admin = as_role("admin")
    admin.post("/ui/settings/keys", KEY)

    again = admin.post("/ui/settings/keys", KEY | {"name": " ci "})
    assert again.status_code == 422
    assert "A key of this name is in use." in again.content.decode()

    admin.post(f"/ui/settings/keys/{ApiKey.objects.get().key_id}/revoke")
    assert admin.post("/ui/settings/keys", KEY).status_code == 302
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_manage_keys(as_role, role):
    client = as_role(role)

    assert "Make the key" not in client.get("/ui/settings").content.decode()
    assert client.post("/ui/settings/keys", KEY).status_code == 403
    assert client.post("/ui/settings/keys/abc/revoke").status_code == 403


def test_nobody_in_particular_manages_keys_even_in_dev(client):
    assert "Make the key" not in client.get("/ui/settings").content.decode()
    assert client.post("/ui/settings/keys", KEY).status_code == 401


@pytest.fixture
def browser():
    """Somebody who logged in with a password."""
    make_user("olena", "viewer", PASSWORD)
    client = Client()
    client.post("/ui/login", {"username": "olena", "password": PASSWORD})
    return client


def change(client, old=PASSWORD, new="another-long-secret", again="another-long-secret"):
    return client.post("/ui/settings/password", {"old": old, "new": new, "again": again})


def test_a_password_is_changed_and_the_session_goes_on(browser):
    response = change(browser)

    assert response.headers["Location"] == "/ui/settings?done=password"
    assert "Your password is changed" in browser.get("/ui/settings?done=password").content.decode()
    assert (
        Client().post("/ui/login", {"username": "olena", "password": PASSWORD}).status_code == 401
    )


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"old": "wrong-password"}, 401, "The present password is wrong."),
        ({"again": "something-different"}, 422, "The two passwords differ."),
        ({"new": "short", "again": "short"}, 422, "too short"),
    ],
)
def test_a_wrong_change_says_what_is_wrong(browser, fields, status, says):
    response = change(browser, **fields)

    assert response.status_code == status
    assert says in response.content.decode()
    assert "another-long-secret" not in response.content.decode()
