"""The base class of admin pages: one row for every object, in the transaction of the change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from django.utils import timezone

from core.access.models import Throttle
from core.audit.admin import AuditedAdmin
from core.audit.models import AuditRecord
from tests.factories import make_user


class BucketAdmin(AuditedAdmin):
    """A model that may be added, changed and deleted."""

    list_display = ("bucket", "failures")
    list_editable = ("failures",)


site = AdminSite(name="admin")
site.register(Throttle, BucketAdmin)
urlpatterns = [path("admin/", site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
LIST = "/admin/access/throttle/"
SOON = {"window_ends_at_0": "2030-01-01", "window_ends_at_1": "00:00:00"}


@pytest.fixture
def admin(client: Client, settings: Any) -> Client:
    """A browser of an admin, and two objects."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    client.force_login(make_user("boss", role="admin"))
    for bucket in ("a", "b"):
        Throttle.objects.create(bucket=bucket, window_ends_at=timezone.now() + timedelta(days=1))
    return client


def rows() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.values_list("action", "target", "actor"))


def test_adding_changing_and_deleting_is_a_row_each(admin: Client) -> None:
    admin.post(f"{LIST}add/", {"bucket": "c", "failures": "1", **SOON})
    admin.post(f"{LIST}c/change/", {"bucket": "c", "failures": "2", **SOON})
    admin.post(f"{LIST}c/delete/", {"post": "yes"})

    assert rows() == [
        ("throttle.create", "c", "boss"), ("throttle.update", "c", "boss"), ("throttle.delete", "c", "boss"),
    ]  # fmt: skip
    assert "Failures" in AuditRecord.objects.get(action="throttle.update").detail


def test_an_action_on_many_is_a_row_for_each(admin: Client) -> None:
    admin.post(LIST, {"action": "delete_selected", "_selected_action": ["a", "b"], "post": "yes"})

    assert not Throttle.objects.exists()
    assert sorted(rows()) == [("throttle.delete", "a", "boss"), ("throttle.delete", "b", "boss")]


def test_edits_in_the_list_are_a_row_each(admin: Client) -> None:
    form = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "_save": "Save", "form-0-bucket": "a",
            "form-0-failures": "7", "form-1-bucket": "b", "form-1-failures": "0"}  # fmt: skip
    admin.post(f"{LIST}?o=1", form)

    assert Throttle.objects.get(bucket="a").failures == 7
    assert rows() == [("throttle.update", "a", "boss")]


def test_a_failed_action_leaves_neither_change_nor_row(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, request: HttpRequest, queryset: Any) -> None:
        queryset.delete()
        raise RuntimeError

    monkeypatch.setattr(BucketAdmin, "delete_queryset", fail)
    admin.raise_request_exception = False

    reply = admin.post(
        LIST, {"action": "delete_selected", "_selected_action": ["a"], "post": "yes"}
    )

    assert reply.status_code == 500
    assert Throttle.objects.count() == 2
    assert rows() == []
