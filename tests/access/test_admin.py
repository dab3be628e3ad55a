"""People and keys in Django's admin: every change is one audit row in the change's own transaction."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from core.access.models import ApiKey, User
from core.audit.models import AuditRecord
from tests.access.conftest import bearer
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    """A browser of an admin."""
    client.force_login(make_user("boss", role="admin", password=PASSWORD))
    AuditRecord.objects.all().delete()
    return client


def actions() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.values_list("action", "actor", "target"))


def test_it_is_open_to_admins_only(client: Client, operator: User) -> None:
    client.force_login(operator)

    assert client.get("/admin/access/user/").status_code == 302


@pytest.mark.parametrize("page", [
    "access/user/", "access/user/add/", "access/apikey/", "access/apikey/add/", "audit/auditrecord/",
])  # fmt: skip
def test_pages_open(admin: Client, page: str) -> None:
    assert admin.get(f"/admin/{page}").status_code == 200


def test_a_person_is_made_and_changed(admin: Client) -> None:
    new = {
        "username": "olena",
        "role": "viewer",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert admin.post("/admin/access/user/add/", new).status_code == 302
    olena = User.objects.get(username="olena")
    assert olena.check_password(PASSWORD)

    page = f"/admin/access/user/{olena.pk}/"
    changed = admin.post(
        f"{page}change/", {"username": "olena", "role": "operator", "is_active": "on", "email": ""}
    )
    assert changed.status_code == 302
    password = {
        "usable_password": "true",
        "password1": "another-long-word",
        "password2": "another-long-word",
    }
    assert admin.post(f"{page}password/", password).status_code == 302

    assert actions() == [
        ("user.create", "boss", "olena"), ("user.update", "boss", "olena"),
        ("user.set_password", "boss", "olena"),
    ]  # fmt: skip
    created, updated, reset = (
        json.loads(row.detail) for row in AuditRecord.objects.order_by("seq")
    )
    assert created["change"] == {"role": [None, "viewer"], "is_active": [None, True]}
    assert updated["change"] == {"role": ["viewer", "operator"]}
    assert "change" not in reset
    assert "another-long-word" not in str(AuditRecord.objects.values())
    assert PASSWORD not in str(AuditRecord.objects.values())


def test_who_shuts_somebody_out_is_told_with_what_was_before(admin: Client) -> None:
    olena = make_user("olena", role="admin")

    admin.post(
        f"/admin/access/user/{olena.pk}/change/",
        {"username": "olena", "role": "admin", "email": ""},
    )

    detail = json.loads(AuditRecord.objects.get(action="user.update").detail)
    assert detail["change"] == {"is_active": [True, False]}


def test_the_last_admin_cannot_be_shut_out(admin: Client) -> None:
    boss = User.objects.get()

    reply = admin.post(
        f"/admin/access/user/{boss.pk}/change/", {"username": "boss", "role": "viewer", "email": ""}
    )

    assert b"last active admin" in reply.content
    assert User.objects.get().role == "admin"
    assert actions() == []


def test_people_are_not_deleted(admin: Client) -> None:
    boss = User.objects.get()

    assert admin.post(f"/admin/access/user/{boss.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_key_is_shown_once_and_revoked(admin: Client) -> None:
    reply = admin.post("/admin/access/apikey/add/", {"name": "ci", "scopes": ["read", "ops"]})
    found = re.search(r"sofiia_[0-9a-f]{12}_[a-z2-7]{40}", reply.content.decode())
    assert found
    assert "no-store" in reply["Cache-Control"]
    assert Client().get("/api/me", headers=bearer(found[0])).json()["name"] == "key:ci"

    key = ApiKey.objects.get()
    for page in ("", f"{key.pk}/change/"):
        assert found[0] not in admin.get(f"/admin/access/apikey/{page}").content.decode()
    admin.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

    assert Client().get("/api/me", headers=bearer(found[0])).status_code == 401
    assert actions()[:2] == [
        ("apikey.create", "boss", key.key_id),
        ("apikey.revoke", "boss", key.key_id),
    ]


def test_a_key_cannot_be_edited(admin: Client, make_key: Any) -> None:
    make_key("read")
    key = ApiKey.objects.get()

    admin.post(f"/admin/access/apikey/{key.pk}/change/", {"name": "other", "scopes": ["admin"]})

    assert ApiKey.objects.get().scopes == ["read"]


@pytest.mark.parametrize("data", [
    {"name": "", "scopes": ["read"]}, {"name": "x"}, {"name": "x", "scopes": ["root"]},
    {"name": "x", "scopes": ["read"], "expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
])  # fmt: skip
def test_a_bad_key_is_refused(admin: Client, data: dict[str, Any]) -> None:
    assert admin.post("/admin/access/apikey/add/", data).status_code == 200
    assert not ApiKey.objects.exists()


def test_the_audit_cannot_be_changed(admin: Client, make_key: Any) -> None:
    make_key("read")
    row = AuditRecord.objects.get()
    page = f"/admin/audit/auditrecord/{row.pk}"

    assert admin.get(f"{page}/change/").status_code == 200
    assert admin.get("/admin/audit/auditrecord/add/").status_code == 403
    assert admin.post(f"{page}/change/", {"actor": "eve"}).status_code == 403
    assert admin.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    admin.post(
        "/admin/audit/auditrecord/",
        {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
    )

    row.refresh_from_db()
    assert row.actor == "system:tests"


def test_a_change_that_cannot_be_audited_is_not_made(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.raise_request_exception = False
    monkeypatch.setattr("core.audit.services.get_store", lambda: 1 / 0)
    new = {
        "username": "olena",
        "role": "viewer",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }

    assert admin.post("/admin/access/user/add/", new).status_code == 500

    assert not User.objects.filter(username="olena").exists()
