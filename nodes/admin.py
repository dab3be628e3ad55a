"""Nodes in Django's admin. Every save goes through `nodes.services`, which writes history, audit and event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.access.principals import Principal
from core.audit.admin import AuditedAdmin
from core.formatting import STATE_GLYPHS, absolute, ago
from core.problems import Problem
from nodes import prober, queries, services, tables
from nodes.forms import NodeForm
from nodes.models import Node, Status
from nodes.queries import NodeView

#: So many nodes are probed by one action, side by side.
MAX_PROBES = 50
#: So many rows of history are shown.
SHOWN = 20

_IDENTITY = ("node_id", "label", "role", "env", "tags", "labels")
_ADDRESSES = ("router_url", "gateway_url", "monitor_url", "auth_ref", "depends_on")
_PACE = ("poll_interval", "timeout", "offline_after", "online_after", "stale_after", "require")


class StateFilter(admin.SimpleListFilter):
    """By what is known of the node."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The words of the console."""
        words = (*Status.values, "paused")
        return [(word, f"{STATE_GLYPHS[word]} {word}") for word in words]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows whose view has this word."""
        word = self.value()
        if word is None:
            return queryset
        at_work = Q(maintenance_until__gt=timezone.now())
        paused = Q(state__paused=True)
        if word == "paused":
            return queryset.filter(paused)
        if word == Status.MAINTENANCE:
            return queryset.filter(at_work & ~paused)
        return queryset.filter(Q(state__status=word)).exclude(at_work | paused)


class OriginFilter(admin.SimpleListFilter):
    """By who declares the node."""

    title = "declared by"
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The file, or operators."""
        return [("yaml", "nodes_registry.yml"), ("admin", "operators"), ("edited", "both")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of this origin."""
        if self.value() == "admin":
            return queryset.filter(declared__isnull=True)
        if self.value() == "yaml":
            return queryset.filter(declared__isnull=False)
        if self.value() == "edited":
            return queryset.filter(declared__isnull=False).exclude(overrides={})
        return queryset


@admin.register(Node)
class NodeAdmin(AuditedAdmin):
    """The registry: overrides of every value, with the value in force and its source."""

    form = NodeForm
    list_display = (
        "shown_state",
        "node_id",
        "shown_label",
        "headline",
        "address",
        "origin",
        "probed",
    )
    list_display_links = ("node_id",)
    list_filter = (StateFilter, OriginFilter)
    search_fields = ("node_id", "declared__label__icontains", "overrides__label__icontains")
    list_per_page = 50
    ordering = ("node_id",)
    actions = ("probe_now", "pause", "resume", "end_maintenance")
    readonly_fields = ("known", "recent_transitions", "recent_edits")
    object_history_template = "admin/nodes/node/object_history.html"
    fieldsets = (
        ("Node", {"fields": (*_IDENTITY, "version_seen")}),
        ("Addresses", {"fields": _ADDRESSES}),
        ("Care", {"fields": ("paused", "maintenance_until")}),
        ("Pace and requirements", {"fields": _PACE, "classes": ("collapse",)}),
        ("What is known", {"fields": ("known", "recent_transitions", "recent_edits")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """The fleet, without the bodies of the last answers."""
        rows = super().get_queryset(request).filter(retired_at=None)
        return rows.select_related("state").defer("state__raw")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a new node nothing is known."""
        return self.fieldsets if obj is not None else self.fieldsets[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The id is given once."""
        return ("node_id", *self.readonly_fields) if obj is not None else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What the file declares has to be removed there."""
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed) and (obj is None or obj.declared is None)

    # --- writing -------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        """Through the services, starting from the revision that the form was made of."""
        actor = _actor(request)
        if change:
            seen = form.cleaned_data["version_seen"]
            node = services.update_node(obj.pk, form.changes, actor, {seen})
        else:
            node = services.create_node(form.changes, actor)
        for column in ("declared", "overrides", "maintenance_until", "version"):
            setattr(obj, column, getattr(node, column))
        obj._state.adding = False

    def delete_model(self, request: HttpRequest, obj: Node) -> None:
        """Through the services."""
        services.delete_node(obj.pk, _actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Through the services, one by one."""
        for node_id in list(queryset.values_list("pk", flat=True)):
            services.delete_node(node_id, _actor(request))

    def audit(self, request: HttpRequest, obj: Model, verb: str, detail: dict[str, Any]) -> None:
        """Nothing: the services wrote the record."""

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *rest: Any, **options: Any
    ) -> HttpResponse | None:
        """Without a transaction around all: probes wait on the network, and each service call has one of its own."""
        return admin.ModelAdmin.response_action(self, request, queryset, *rest, **options)

    # --- actions -------------------------------------------------------------------------------------------------

    @admin.action(description="Probe now")
    def probe_now(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Probe the chosen nodes side by side and say what was found."""
        ids = list(queryset.values_list("pk", flat=True))[:MAX_PROBES]
        async_to_sync(_probe_all)(ids)
        for node_id in ids:
            services.note_probe(node_id, _actor(request))
        for view in queries.fleet().nodes:
            if view.node.node_id in ids:
                level = messages.SUCCESS if view.online else messages.WARNING
                text = f"{tables.marked(view)} {view.node.node_id}: {view.headline}"
                self.message_user(request, text, level)

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Leave the chosen nodes alone."""
        self._each(request, queryset, services.pause, "paused")

    @admin.action(description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Probe the chosen nodes again."""
        self._each(request, queryset, services.resume, "resumed")

    @admin.action(description="End maintenance")
    def end_maintenance(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """The announced work is over."""
        self._each(
            request,
            queryset,
            lambda node_id, actor: services.set_maintenance(node_id, None, actor),
            "out of maintenance",
        )

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Node],
        service: Callable[[str, Principal], object],
        done: str,
    ) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        for node_id in ids:
            try:
                service(node_id, _actor(request))
            except Problem as problem:
                self.message_user(request, f"{node_id}: {problem.detail}", messages.ERROR)
        self.message_user(request, f"{len(ids)} {done}.", messages.SUCCESS)

    # --- reading -------------------------------------------------------------------------------------------------

    @admin.display(description="state", ordering="state__status")
    def shown_state(self, obj: Node) -> str:
        """Glyph and word."""
        return tables.marked(queries.view_of(obj))

    @admin.display(description="label")
    def shown_label(self, obj: Node) -> str:
        """What people call it."""
        return queries.view_of(obj).node.label

    @admin.display(description="what")
    def headline(self, obj: Node) -> str:
        """The one sentence that matters."""
        return queries.view_of(obj).headline

    @admin.display(description="probed at")
    def address(self, obj: Node) -> str:
        """The base that is probed."""
        return queries.view_of(obj).node.probe_url or "–"

    @admin.display(description="declared by")
    def origin(self, obj: Node) -> str:
        """The file, operators, or both."""
        return tables.source(queries.view_of(obj))

    @admin.display(description="probed", ordering="state__probed_at")
    def probed(self, obj: Node) -> str:
        """How long ago."""
        return ago(queries.view_of(obj).age_s)

    @admin.display(description="now")
    def known(self, obj: Node) -> SafeString:
        """State and telemetry as the API has them, read-only: the poller owns them."""
        return _table(_facts(queries.view_of(obj)))

    @admin.display(description=f"last {SHOWN} changes of state")
    def recent_transitions(self, obj: Node) -> SafeString:
        """The end of the timeline."""
        return _table(
            (absolute(row.ts), f"{row.before} → {row.after}", "; ".join(row.reasons))
            for row in queries.transitions(obj.pk, SHOWN)
        )

    @admin.display(description=f"last {SHOWN} edits")
    def recent_edits(self, obj: Node) -> SafeString:
        """Who set what."""
        return _table(_edits(obj))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's history, below the registry's own, which knows values and the edits of programs."""
        context = {**(extra_context or {}), "revisions": queries.revisions(object_id, 200)}
        return super().history_view(request, object_id, context)


def _actor(request: HttpRequest) -> Principal:
    return request.principal  # type: ignore[attr-defined, no-any-return]


async def _probe_all(node_ids: Iterable[str]) -> None:
    await asyncio.gather(*(prober.probe_now(node_id) for node_id in node_ids))


def _facts(view: NodeView) -> Iterable[tuple[str, str]]:
    facts = view.as_dict()
    for name in ("status", "headline", "reasons", "since", "last_seen", "probe", "router", "gateway",
                 "alerts_loop_slo", "open_incidents", "backends", "last_artifacts", "uptime"):  # fmt: skip
        value = facts[name]
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_word(part)}" for key, part in value.items())
        elif isinstance(value, list):
            value = "; ".join(value)
        yield name.replace("_", " "), _word(value)


def _word(value: Any) -> str:
    return "not reported" if value in (None, "") else str(value)


def _edits(node: Node) -> Iterable[tuple[str, str, str]]:
    for row in queries.revisions(node.pk, SHOWN):
        change = "; ".join(
            f"{name}: {_word(old)} → {_word(new)}" for name, (old, new) in row.change.items()
        )
        yield absolute(row.ts), row.actor, change


def _table(rows: Iterable[tuple[str, ...]]) -> SafeString:
    """A plain table; escapes everything."""
    lines = [format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in rows]
    if not lines:
        return SafeString("Nothing yet.")
    body = format_html_join("", "<tr>{}</tr>", ((line,) for line in lines))
    return format_html("<table>{}</table>", body)
