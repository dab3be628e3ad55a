"""People: logging in and out, CSRF, and what ends a session."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from core.access import services, sessions
from core.access.models import User
from core.access.principals import system
from core.audit.models import AuditRecord
from core.problems import Problem
from tests.access.conftest import CONSOLE_KEY, bearer
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
JSON = {"content_type": "application/json"}


@pytest.fixture
def browser(client: Client, operator: User) -> Client:
    """A browser that is logged in."""
    assert log_in(client).status_code == 200
    return client


def log_in(client: Client, username: str = "olena", password: str = PASSWORD) -> Any:
    return client.post("/ui/login", {"username": username, "password": password})


def test_a_session_may_what_the_role_allows(browser: Client, prod: None) -> None:
    assert browser.get("/api/me").json() == {
        "kind": "user", "name": "olena", "role": "operator", "rights": ["ingest", "ops", "proxy", "read"],
    }  # fmt: skip
    assert browser.post("/api/things", {"name": "a"}, **JSON).status_code == 200
    assert browser.post("/api/settings").status_code == 403


def test_a_wrong_password_and_an_unknown_name_answer_the_same(
    client: Client, operator: User
) -> None:
    wrong, unknown = (
        log_in(client, password="wrong-password"),
        log_in(client, "nobody", "wrong-password"),
    )

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert [row.target for row in AuditRecord.objects.all()] == ["olena", "unknown"]


@pytest.mark.parametrize("name", ["a\x00b", "a" * 100_000, "", "\ud800", "' or 1=1 --"])
def test_a_hostile_name_is_just_wrong(client: Client, db: None, name: str, rf: Any) -> None:
    request = rf.post("/ui/login")

    with pytest.raises(Problem) as caught:
        sessions.login(request, name, "x" * 10_000)

    assert caught.value.status == 401


def test_a_login_gives_the_session_a_new_id(client: Client, operator: User) -> None:
    client.cookies["sofiia_session"] = "a" * 32

    log_in(client)

    assert client.cookies["sofiia_session"].value != "a" * 32
    assert Session.objects.count() == 1


def test_login_and_logout_are_audited_once_each(browser: Client) -> None:
    browser.post("/ui/logout")

    rows = AuditRecord.objects.values_list("action", "actor", "outcome")
    assert list(rows) == [("session.login", "olena", "done"), ("session.logout", "olena", "done")]


def _log_out(user: User, browser: Client) -> None:
    browser.post("/ui/logout")


def _change_password(user: User, browser: Client) -> None:
    sessions.set_password(user, "another-long-word", system("tests"))


def _deactivate(user: User, browser: Client) -> None:
    services.set_active(user.pk, False, system("tests"))


def _end_in_database(user: User, browser: Client) -> None:
    Session.objects.all().delete()


@pytest.mark.parametrize("end", [_log_out, _change_password, _deactivate, _end_in_database])
def test_a_session_ends_at_once(browser: Client, operator: User, prod: None, end: Any) -> None:
    cookie = browser.cookies["sofiia_session"].value
    assert browser.get("/api/things").status_code == 200

    end(operator, browser)
    browser.cookies["sofiia_session"] = cookie

    assert browser.get("/api/things").status_code == 401


def test_a_lost_role_is_lost_at_once(browser: Client, operator: User, prod: None) -> None:
    services.set_role(operator.pk, "viewer", system("tests"))

    assert browser.post("/api/things", {"name": "a"}, **JSON).status_code == 403


def test_changing_the_password_keeps_this_session_only(
    browser: Client, operator: User, prod: None, rf: Any
) -> None:
    other = Client()
    log_in(other)
    request = rf.post("/ui/settings")
    request.session, request.user = browser.session, User.objects.get()

    sessions.change_password(request, PASSWORD, "another-long-word")
    request.session.save()
    browser.cookies["sofiia_session"] = request.session.session_key

    assert browser.get("/api/things").status_code == 200
    assert other.get("/api/things").status_code == 401


@pytest.mark.parametrize("new", ["short", "password123", "1234567890", "1234567890" * 200])
def test_a_weak_password_is_refused(operator: User, new: str) -> None:
    with pytest.raises(Problem) as caught:
        sessions.check_password_rules(new, operator)

    assert (caught.value.status, caught.value.errors[0]["path"]) in [(422, "password")]


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
)
def test_a_session_needs_the_csrf_token_to_write(
    strict_client: Client, operator: User, prod: None, content_type: str
) -> None:
    strict_client.force_login(operator)
    assert strict_client.get("/api/things").status_code == 200

    reply = strict_client.post("/api/things", '{"name":"a"}', content_type=content_type)

    assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize(("headers", "expected"), [
    ({}, 200),
    ({"Origin": "http://testserver"}, 200),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"X-CSRFToken": "b" * 32}, 403),
])  # fmt: skip
def test_the_token_counts_from_our_own_pages(
    strict_client: Client, operator: User, prod: None, headers: dict[str, str], expected: int
) -> None:
    strict_client.force_login(operator)
    token = "a" * 32
    strict_client.cookies["sofiia_csrf"] = token
    headers = {"X-CSRFToken": token, **headers}

    reply = strict_client.post("/api/things", '{"name":"a"}', headers=headers, **JSON)

    assert reply.status_code == expected


def test_a_key_needs_no_csrf_token(strict_client: Client, prod: None) -> None:
    reply = strict_client.post("/api/things", '{"name":"a"}', headers=bearer(CONSOLE_KEY), **JSON)

    assert reply.status_code == 200


def test_a_session_with_a_bad_key_is_refused(browser: Client) -> None:
    assert browser.get("/api/things", headers=bearer("wrong")).status_code == 401
    assert (
        browser.post("/api/things", {"name": "a"}, headers=bearer("wrong"), **JSON).status_code
        == 401
    )


def test_pages_send_nobody_to_the_login_and_back(client: Client, prod: None) -> None:
    assert client.get("/ui/?q=a b")["Location"] == "/ui/login?next=/ui/%3Fq%3Da%2520b"
    assert client.get("/ui/", headers={"Sec-Fetch-Dest": "empty"}).status_code == 401
    assert client.post("/ui/").status_code == 401


def test_pages_refuse_too_few_rights(browser: Client) -> None:
    assert browser.get("/ui/").content == b"wall for olena"
    assert browser.get("/ui/settings").status_code == 403


def test_admin_pages_need_an_admin_in_dev_too(client: Client, db: None) -> None:
    assert client.get("/ui/settings")["Location"].startswith("/ui/login")
    client.force_login(make_user(role="admin"))
    assert client.get("/ui/settings").status_code == 200


@pytest.mark.parametrize("target", [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example/",
    "http:///evil.example", "javascript:alert(1)", "\tjavascript:alert(1)", " //evil.example", "/\t/evil.example",
    "/\n/evil.example", "%2f%2fevil.example", "//%65vil.example", "ui/", "", None, "/" + "a" * 5000, "///evil.example",
    "/ui/\r\nSet-Cookie: a=b", "/ui/\x00", "data:text/html,x", "/ui/ü",
])  # fmt: skip
def test_the_way_back_stays_on_this_console(target: str | None) -> None:
    assert sessions.safe_next(target) == "/ui/"


@pytest.mark.parametrize("target", ["/", "/ui/nodes/NODA1?range=7d", "/admin/", "/%2f%2fevil"])
def test_the_way_back_is_kept_when_it_is_a_path(target: str) -> None:
    assert sessions.safe_next(target) == target


def test_the_last_admin_stays(db: None) -> None:
    boss = make_user("boss", role="admin")

    for change in (lambda: services.set_role(boss.pk, "viewer", system("t")),
                   lambda: services.set_active(boss.pk, False, system("t"))):  # fmt: skip
        with pytest.raises(Problem) as caught:
            change()
        assert caught.value.code == "last_admin"


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one() -> None:
    people = [make_user(name, role="admin") for name in ("olena", "petro")]
    barrier = Barrier(2)

    def demote(user: User) -> str:
        try:
            barrier.wait(5)
            return services.set_role(user.pk, "viewer", system("t")).role
        except Problem as problem:
            return problem.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        results = sorted(threads.map(demote, people))

    assert results == ["last_admin", "viewer"]
