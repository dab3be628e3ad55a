"""Who sees which page, and what it answers."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from core.access.models import Role

pytestmark = pytest.mark.django_db
PAGES = ["/ui/", "/ui/?view=table", "/ui/events", "/ui/settings", "/ui/nodes/up", "/ui/nodes/new", "/api/docs"]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", Role.values)
def test_every_role_reads_every_page(as_role, fleet, role, path):
    response = as_role(role).get(path)

    assert response.status_code == 200
    assert f"the-{role}" in response.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_in_dev_nobody_in_particular_reads_too(client, fleet, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_in_prod_nobody_in_particular_is_sent_to_the_login_and_back(client, fleet, prod, path):
    response = client.get(path)

    assert response.status_code == 302
    where = urlsplit(response.headers["Location"])
    assert where.path == "/ui/login"
    assert parse_qs(where.query)["next"] == [path]


@pytest.mark.parametrize("path", ["/ui/wall/tiles", "/ui/wall/index.json"])
def test_in_prod_a_script_gets_a_401_and_not_the_login_page(client, fleet, prod, path):
    response = client.get(path, headers={"Sec-Fetch-Dest": "empty"})

    assert response.status_code == 401


def test_a_node_that_is_not_there_says_what_to_do(client, db):
    response = client.get("/ui/nodes/nobody")

    assert response.status_code == 404
    assert "All nodes" in response.content.decode()


def test_an_empty_registry_says_how_to_add_a_node(client, db):
    assert "nodes_registry.yml" in client.get("/ui/").content.decode()


@pytest.mark.parametrize(
    ("role", "probes", "edits"),
    [("viewer", False, False), ("operator", True, False), ("admin", True, True)],
)
def test_a_node_page_offers_what_the_role_may(as_role, fleet, role, probes, edits):
    text = as_role(role).get("/ui/nodes/up").content.decode()

    assert ("/ui/nodes/up/probe" in text) is probes
    assert ("/admin/nodes/node/up/change/" in text) is edits


def test_a_viewer_cannot_probe(as_role, fleet):
    assert as_role("viewer").post("/ui/nodes/up/probe").status_code == 403


def test_a_write_without_the_token_is_refused(as_role, fleet):
    client: Client = as_role("operator", enforce_csrf_checks=True)

    assert client.post("/ui/nodes/up/probe").status_code == 403


def test_the_head_has_only_tabs_that_exist(client, db):
    text = client.get("/ui/").content.decode()

    assert [name for name in ("Nodes", "Events", "Settings", "Incidents") if f">{name}</a>" in text] == [
        "Nodes", "Events", "Settings",
    ]  # fmt: skip
