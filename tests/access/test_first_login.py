"""The link with which the first admin is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from core.access import sessions
from core.access.models import OneTimeLogin, User
from core.audit.models import AuditRecord
from core.problems import Problem
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def test_it_makes_an_admin_once() -> None:
    token = sessions.issue_first_login()
    assert token is not None

    user = sessions.redeem(token, "olena", PASSWORD)

    assert (user.role, user.is_active, user.check_password(PASSWORD)) == ("admin", True, True)
    assert [row.action for row in AuditRecord.objects.all()] == ["user.first_admin"]
    with pytest.raises(Problem) as caught:
        sessions.redeem(token, "second", PASSWORD)
    assert caught.value.status == 410


def test_none_is_issued_while_an_admin_can_log_in() -> None:
    make_user("without-password", role="admin")
    assert sessions.issue_first_login() is not None

    make_user("boss", role="admin", password=PASSWORD)
    assert sessions.issue_first_login() is None


def test_a_new_link_ends_the_old_one() -> None:
    old, new = sessions.issue_first_login(), sessions.issue_first_login()

    assert not sessions.is_redeemable(str(old))
    assert sessions.is_redeemable(str(new))


def test_looking_does_not_use_it_up(client: Client) -> None:
    token = str(sessions.issue_first_login())

    for _ in range(3):
        assert sessions.is_redeemable(token)

    assert OneTimeLogin.objects.get().used_at is None


def test_it_ends_after_a_day(time_machine_at: Any) -> None:
    token = str(sessions.issue_first_login())

    time_machine_at(timedelta(hours=25))

    assert not sessions.is_redeemable(token)


def test_it_ends_when_an_admin_comes_another_way() -> None:
    token = str(sessions.issue_first_login())
    make_user("boss", role="admin", password=PASSWORD)

    with pytest.raises(Problem):
        sessions.redeem(token, "second", PASSWORD)


@pytest.mark.parametrize(("username", "password", "path"), [
    ("olena", "short", "password"), ("a b", PASSWORD, "username"), ("", PASSWORD, "username"),
    ("taken", PASSWORD, "username"),
])  # fmt: skip
def test_a_refusal_uses_nothing_up(username: str, password: str, path: str) -> None:
    make_user("taken", password=PASSWORD)
    token = str(sessions.issue_first_login())

    with pytest.raises(Problem) as caught:
        sessions.redeem(token, username, password)

    assert (caught.value.status, caught.value.errors[0]["path"]) == (422, path)
    assert sessions.is_redeemable(token)


def test_it_gives_an_admin_without_password_one() -> None:
    make_user("olena", role="viewer", is_active=False)

    sessions.redeem(str(sessions.issue_first_login()), "olena", PASSWORD)

    assert User.objects.get().role == "admin"


def test_the_token_is_stored_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    token = str(sessions.issue_first_login())

    assert token not in str(OneTimeLogin.objects.values())
    assert token not in caplog.text
