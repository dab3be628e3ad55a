"""Nodes in the admin: the form, where values come from, actions, history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.audit.models import AuditRecord
from events.models import Event
from nodes import services
from nodes.models import Node, NodeState, Revision, Transition
from nodes.registry import effective
from tests.factories import make_node, principal

pytestmark = pytest.mark.django_db

LIST = "/admin/nodes/node/"
URL = "http://10.0.0.5:9102"


@pytest.fixture
def node(sync: Any) -> Node:
    sync(a={"label": "From the file", "router_url": URL, "poll_interval": "1m"})
    return Node.objects.get()


def form_of(client: Client, path: str, **changes: str) -> dict[str, str]:
    """The form of a page as a browser would send it, with changes."""
    form = client.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields if name != "maintenance_until"}
    blank = {"maintenance_until_0": "", "maintenance_until_1": ""}
    return {
        **blank,
        **{k: "" if v is None else str(v) for k, v in values.items()},
        **changes,
    }


def change_path(node_id: str) -> str:
    return reverse("admin:nodes_node_change", args=[node_id])


def test_the_form_shows_what_is_in_force_and_from_where(admin: Client, node: Node) -> None:
    page = admin.get(change_path("a")).content.decode()

    assert "In force: From the file (nodes_registry.yml)" in page
    assert "In force: 1m (nodes_registry.yml)" in page
    assert "(default)" in page


def test_every_fault_is_told_at_once(admin: Client, node: Node) -> None:
    path = change_path("a")

    page = admin.post(path, form_of(admin, path, offline_after="0", router_url="ftp://x"))

    assert {"offline_after", "router_url"} <= set(page.context["adminform"].form.errors)


def test_what_is_not_set_is_blank(admin: Client, node: Node) -> None:
    assert "null</textarea>" not in admin.get(change_path("a")).content.decode()


def test_nothing_of_a_node_becomes_html(admin: Client, sync: Any, set_environment: Any) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    set_environment(NODES_a_LABEL=hostile + "env")
    facts = {"label": hostile, "role": hostile, "tags": [hostile], "labels": {"team": hostile}}
    sync(a={**facts, "router_url": URL, "require": {"backends": {"alerts": [hostile]}}})
    services.create_node({"node_id": "b", "router_url": URL, **facts}, principal())
    services.update_node("b", {"label": hostile + "2"}, principal())
    NodeState.objects.update(
        error=hostile,
        reasons=[hostile],
        probed_at=timezone.now(),
        status="offline",
        failures=2,
        telemetry={"backends": {hostile: hostile}, "last_artifacts": {"a": hostile}},
    )
    Transition.objects.create(
        node_id="b", ts=timezone.now(), before="online", after="offline", reasons=[hostile]
    )

    pages = [LIST, LIST + "add/", *(change_path(id) for id in "ab")]
    pages += [reverse(f"admin:nodes_node_{page}", args=["b"]) for page in ("history", "delete")]

    for path in pages:
        page = admin.get(path).content.decode()
        assert "<img src=x" not in page, path
    assert (
        "In force: &lt;img src=x onerror=alert(1)&gt;env"
        in admin.get(change_path("a")).content.decode()
    )


def test_an_edit_of_a_node_that_was_made_anew_is_refused(admin: Client, actor: Any) -> None:
    new = {"node_id": "b", "router_url": URL}
    services.create_node(new, actor)
    path = change_path("b")
    form = form_of(admin, path, label="Mine")
    services.delete_node("b", actor)
    services.create_node(new, actor)

    answer = admin.post(path, form)

    assert "Somebody changed this node meanwhile" in answer.content.decode()


def test_a_save_writes_revision_audit_and_event(admin: Client, node: Node) -> None:
    path = change_path("a")
    seen = AuditRecord.objects.count(), Event.objects.filter(type="node.changed").count()

    answer = admin.post(path, form_of(admin, path, label="Mine", tags="core, far", timeout="3s"))

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    now = effective(Node.objects.get())
    assert (now.label, now.tags, now.timeout) == ("Mine", ["core", "far"], 3)
    assert now.fields["router_url"].source == "yaml"
    revision = Revision.objects.first()
    assert revision is not None
    assert (revision.actor, sorted(revision.change)) == ("olena", ["label", "tags", "timeout"])
    assert AuditRecord.objects.count() == seen[0] + 1
    assert Event.objects.filter(type="node.changed").count() == seen[1] + 1
    record = AuditRecord.objects.order_by("seq").last()
    assert record is not None
    assert (record.action, record.target, record.actor) == ("node.update", "a", "olena")


def test_an_emptied_field_is_inherited_again(admin: Client, node: Node, actor: Any) -> None:
    services.update_node("a", {"label": "Mine", "paused": True}, actor)
    path = change_path("a")

    admin.post(path, form_of(admin, path, label="", paused=""))

    assert Node.objects.get().overrides == {}


def test_everything_that_can_be_overridden_survives_a_save(
    admin: Client, node: Node, actor: Any
) -> None:
    overrides = {
        "tags": ["a"],
        "labels": {"team": "core"},
        "paused": False,
        "stale_after": "90s",
        "offline_after": 4,
        "require": {"artifact_max_age": {"backlog": "36h"}},
    }
    before = services.update_node("a", overrides, actor)
    path = change_path("a")

    answer = admin.post(
        path, form_of(admin, path, require='{"artifact_max_age": {"backlog": "36h"}}')
    )

    assert answer.status_code == 302
    after = Node.objects.get()
    assert (after.overrides, after.version) == (before.overrides, before.version)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("router_url", "http://169.254.169.254/"),
        ("label", "x" * 201),
        ("timeout", "soon"),
        ("tags", "a," + "x" * 65),
        ("labels", "no sign"),
        ("depends_on", "nobody"),
        ("auth_ref", "the key"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    admin: Client, node: Node, field: str, value: str
) -> None:
    path = change_path("a")

    answer = admin.post(path, form_of(admin, path, **{field: value}))

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert Node.objects.get().version == 1


def test_an_edit_of_what_somebody_changed_is_refused(admin: Client, node: Node, actor: Any) -> None:
    path = change_path("a")
    form = form_of(admin, path, label="Mine")
    services.update_node("a", {"label": "Theirs"}, actor)

    answer = admin.post(path, form)

    assert "Somebody changed this node meanwhile" in answer.content.decode()
    assert effective(Node.objects.get()).label == "Theirs"


def test_a_node_is_added_and_deleted(admin: Client) -> None:
    path = LIST + "add/"

    answer = admin.post(path, form_of(admin, path, node_id="edge-1", monitor_url=URL))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert NodeState.objects.get().node_id == "edge-1"
    assert [r.action for r in AuditRecord.objects.filter(action__startswith="node.")] == [
        "node.create"
    ]

    delete = reverse("admin:nodes_node_delete", args=["edge-1"])
    assert admin.post(delete, {"post": "yes"}).status_code == 302
    assert not Node.objects.exists()


def test_an_id_that_is_taken_is_said_at_its_field(admin: Client, node: Node) -> None:
    path = LIST + "add/"

    answer = admin.post(path, form_of(admin, path, node_id="a", monitor_url=URL))

    assert list(answer.context["adminform"].form.errors) == ["node_id"]


def test_a_declared_node_cannot_be_deleted_here(admin: Client, node: Node) -> None:
    answer = admin.post(reverse("admin:nodes_node_delete", args=["a"]), {"post": "yes"})

    assert answer.status_code == 403
    assert Node.objects.exists()


def test_maintenance_is_announced_and_ended(admin: Client, node: Node) -> None:
    path = change_path("a")
    until = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    form = form_of(
        admin,
        path,
        maintenance_until_0=f"{until:%Y-%m-%d}",
        maintenance_until_1=f"{until:%H:%M:%S}",
    )

    assert admin.post(path, form).status_code == 302
    assert Node.objects.get().maintenance_until == until

    admin.post(LIST, {"action": "end_maintenance", "_selected_action": ["a"]})
    assert Node.objects.get().maintenance_until is None


def test_the_list_says_state_origin_and_address(admin: Client, node: Node) -> None:
    make_node("b", status="offline", probed_at=timezone.now(), reasons=["connection refused"])

    page = admin.get(LIST).content.decode()

    assert "◌ unknown" in page
    assert "■ offline" in page
    assert "connection refused" in page
    assert "yaml" in page
    assert URL in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=offline", {"b"}),
        ("?state=paused", {"p"}),
        ("?state=unknown", {"a"}),
        ("?origin=yaml", {"a"}),
        ("?origin=admin", {"b", "p"}),
        ("?origin=edited", set()),
        ("?q=from+the", {"a"}),
        ("?q=b", {"b"}),
    ],
)
def test_the_list_is_filtered_and_searched(
    admin: Client, node: Node, query: str, found: set[str]
) -> None:
    make_node("b", status="offline", overrides={"router_url": URL})
    make_node("p", overrides={"router_url": URL, "paused": True}, paused=True)

    rows = admin.get(LIST + query).context["cl"].result_list

    assert {row.pk for row in rows} == found


def test_pausing_and_resuming_are_actions(admin: Client, node: Node) -> None:
    admin.post(LIST, {"action": "pause", "_selected_action": ["a"]})
    assert NodeState.objects.get().paused

    admin.post(LIST, {"action": "resume", "_selected_action": ["a"]})
    assert not NodeState.objects.get().paused


def test_probing_is_an_action(admin: Client, transactional_db: None) -> None:
    make_node("b", overrides={"monitor_url": "http://127.0.0.1:9"})

    answer = admin.post(LIST, {"action": "probe_now", "_selected_action": ["b"]}, follow=True)

    assert "b: Degraded for" in answer.content.decode()
    row = AuditRecord.objects.get(action="node.probe")
    assert (row.target, row.actor) == ("b", "olena")


def test_the_history_has_the_edits_of_programs(admin: Client, node: Node, actor: Any) -> None:
    services.update_node("a", {"label": "<b>bold</b>"}, actor)

    page = admin.get(reverse("admin:nodes_node_history", args=["a"])).content.decode()

    assert "Edits of the registry" in page
    assert "label: From the file → &lt;b&gt;bold&lt;/b&gt;" in page


def test_only_admins_get_in(viewer: Client, node: Node) -> None:
    assert viewer.get(LIST).status_code == 302
