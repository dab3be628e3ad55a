"""`manage.py nodes …` and `manage.py poll_once`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.audit.models import AuditRecord
from nodes.models import Node
from tests.factories import make_node

URL = "http://10.0.0.5:9102"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_sync_takes_over_the_file(write_registry: Any) -> None:
    write_registry({"nodes": {"a": {"label": "A", "router_url": URL}}})

    assert "1 created" in run("nodes", "sync")
    assert json.loads(run("nodes", "sync", "--json"))["unchanged"] == 1
    record = AuditRecord.objects.get()
    assert record.actor.startswith("cli:")


@pytest.mark.django_db
def test_sync_says_where_the_file_is_wrong(write_registry: Any) -> None:
    write_registry({}).write_text("nodes:\n  a:\n    colour: red\n")

    with pytest.raises(CommandError, match=r"nodes_registry.yml:3:5"):
        run("nodes", "sync")


@pytest.mark.django_db
def test_list_is_a_table_for_people_and_json_for_programs(write_registry: Any) -> None:
    assert "No nodes yet" in run("nodes", "list")
    make_node("edge-1", status="offline", probed_at="2026-02-25T10:00:00Z")

    table = run("nodes", "list")
    assert "■ offline" in table
    assert "1 node: 1 ■ offline" in table
    facts = json.loads(run("nodes", "list", "--json"))
    assert facts["items"][0]["node_id"] == "edge-1"
    assert facts["summary"]["offline"] == 1


@pytest.mark.django_db
def test_show_tells_every_field_with_its_source() -> None:
    make_node("edge-1", overrides={"router_url": URL, "tags": ["far"]})

    text = run("nodes", "show", "edge-1")

    assert "Not probed yet" in text
    assert "last seen            never" in text
    assert "24h –, 7d –, 30d –" in text
    assert "30 s" in text
    assert [line.split() for line in text.splitlines() if line.startswith("router_url")] == [
        ["router_url", URL, "admin"]
    ]
    fields = json.loads(run("nodes", "show", "edge-1", "--json"))["fields"]
    assert fields["tags"] == {"value": ["far"], "source": "admin"}


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["show", "probe"])
def test_an_unknown_node_is_said_and_is_a_failure(command: str) -> None:
    with pytest.raises(CommandError, match="no node 'nobody'"):
        run("nodes", command, "nobody")


@pytest.mark.django_db(transaction=True)
def test_probe_fails_where_the_node_does() -> None:
    make_node("dead", overrides={"monitor_url": "http://127.0.0.1:9"})

    with pytest.raises(SystemExit) as ended:
        run("nodes", "probe", "dead")

    assert ended.value.code == 1


@pytest.mark.django_db(transaction=True)
def test_poll_once_probes_everybody_and_succeeds_whatever_it_finds() -> None:
    make_node("dead", overrides={"monitor_url": "http://127.0.0.1:9"})

    facts = json.loads(run("poll_once", "--json"))

    assert (facts["cycle"]["probed"], facts["cycle"]["failed"]) == (1, 1)
    assert facts["items"][0]["probe"]["consecutive_failures"] == 1
    assert "1 probed, 1 failed" in run("poll_once")


@pytest.mark.django_db
def test_export_and_import_are_inverse(tmp_path: Path) -> None:
    make_node("edge-1", overrides={"router_url": URL, "poll_interval": 300.0})
    path = tmp_path / "fleet.yml"
    path.write_text(run("nodes", "export"))
    assert json.loads(run("nodes", "export", "--format", "json"))["nodes"].keys() == {"edge-1"}
    Node.objects.all().delete()

    assert "Nothing was written" in run("nodes", "import", str(path), "--dry-run")
    assert not Node.objects.exists()

    assert json.loads(run("nodes", "import", str(path), "--json"))["created"] == ["edge-1"]
    assert run("nodes", "export") == path.read_text()


@pytest.mark.django_db
def test_an_import_that_is_wrong_names_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yml"
    path.write_text('nodes: {a: {router_url: "http://8.8.8.8", colour: red}}')

    with pytest.raises(CommandError) as refused:
        run("nodes", "import", str(path))

    assert "nodes.a.colour" in str(refused.value)
    assert "nodes.a.router_url" in str(refused.value)


@pytest.mark.django_db
def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run("nodes", "import", str(tmp_path / "none.yml"))
