"""`manage.py apikey` and `manage.py audit`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from core.access.models import ApiKey
from core.audit.models import AuditRecord
from tests.access.conftest import bearer


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_a_key_is_made_listed_and_revoked(client: Client) -> None:
    key = run(
        "apikey", "create", "ci", "--scope", "read", "--scope", "ops", "--expires", "90d"
    ).strip()
    assert client.get("/api/me", headers=bearer(key)).json()["rights"] == ["ops", "read"]

    listed = run("apikey", "list")
    key_id = ApiKey.objects.get().key_id
    assert key_id in listed
    assert key not in listed

    assert "revoked" in run("apikey", "revoke", key_id)
    assert client.get("/api/me", headers=bearer(key)).status_code == 401
    assert [row.actor_kind for row in AuditRecord.objects.filter(action__startswith="apikey")] == [
        "cli",
        "cli",
    ]


@pytest.mark.django_db
def test_programs_get_json() -> None:
    made = json.loads(run("apikey", "create", "ci", "--scope", "read", "--json"))
    assert made["key"].startswith(f"sofiia_{made['id']}_")
    assert json.loads(run("apikey", "list", "--json"))[0]["id"] == made["id"]
    assert json.loads(run("apikey", "revoke", made["id"], "--json"))["revoked_at"].endswith("Z")


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [
    ["create", "ci", "--scope", "root"], ["create", "ci"], ["create", "", "--scope", "read"],
    ["create", "ci", "--scope", "read", "--expires", "soon"], ["create", "ci", "--scope", "read", "--expires", "0s"],
    ["revoke", "unknown"], [],
])  # fmt: skip
def test_what_cannot_be_done_is_an_error(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("apikey", *arguments)

    assert not ApiKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_chain_is_verified_and_shown(tmp_path: Path) -> None:
    run("apikey", "create", "ci", "--scope", "read")
    run("apikey", "create", "cd", "--scope", "read")
    assert "2 records" in run("audit", "verify")
    assert json.loads(run("audit", "verify", "--json")) == {
        "ok": True,
        "rows": 2,
        "first_bad": None,
        "why": "",
    }
    assert run("audit", "tail", "-n", "1").count("apikey.create") == 1
    assert [json.loads(line)["seq"] for line in run("audit", "tail", "--json").splitlines()] == [
        1,
        2,
    ]

    AuditRecord.objects.filter(seq=1).update(actor="eve")

    with pytest.raises(CommandError, match="record 1: edited"):
        run("audit", "verify")
