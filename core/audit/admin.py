"""The audit in Django's admin: a view of it, and the base class that makes every admin page write it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from core.audit.models import AuditRecord
from core.audit.services import record


class AuditedAdmin(admin.ModelAdmin):
    """Writes one audit row for every object that is added, changed or deleted, in the transaction of the change.

    Use it for every model in the admin. Where the save goes through a service that writes its own row, override
    `audit` to do nothing.
    """

    def audit_target(self, obj: Model) -> str:
        """What the row calls the object."""
        return str(obj.pk)

    def audit(self, request: HttpRequest, obj: Model, verb: str, detail: dict[str, Any]) -> None:
        """Write the row `<model>.<verb>`."""
        action = f"{obj._meta.model_name}.{verb}"
        actor = request.principal  # type: ignore[attr-defined]
        record(
            action, actor=actor, target=self.audit_target(obj), detail={"via": "admin", **detail}
        )

    def log_addition(self, request: HttpRequest, object: Any, message: Any) -> Any:
        """Django's hook, called inside the transaction of the change."""
        entry = super().log_addition(request, object, message)
        self.audit(request, object, "create", {})
        return entry

    def log_change(self, request: HttpRequest, object: Any, message: Any) -> Any:
        """Django's hook; the message names the fields, never their values."""
        entry = super().log_change(request, object, message)
        self.audit(request, object, "update", {"message": message})
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Django's hook, called before the objects are gone."""
        entries = super().log_deletions(request, queryset)
        for obj in queryset:
            self.audit(request, obj, "delete", {})
        return entries

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Actions on a list run in one transaction with their rows; Django would commit the log before the deletion."""
        with transaction.atomic():
            return super().response_action(request, queryset, *args, **kwargs)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows and never changes."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    """Who did what, newest first."""

    list_display = ("seq", "ts", "actor", "action", "target", "outcome", "address")
    list_filter = ("outcome", "actor_kind")
    search_fields = ("actor__exact", "action__startswith", "target__startswith")
    ordering = ("-seq",)
    show_full_result_count = False
