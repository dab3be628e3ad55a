"""People and keys in Django's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from core.access import services
from core.access.models import ApiKey, User
from core.access.principals import Right
from core.audit.admin import AuditedAdmin
from core.problems import Problem


class NewUserForm(AdminUserCreationForm):
    """A person: name, role, password."""

    class Meta:
        model = User
        fields = ("username", "role")


class UserForm(UserChangeForm):
    """A person; somebody who can administer has to be left."""

    class Meta:
        model = User
        fields = ("username", "email", "role", "is_active", "password")

    def clean(self) -> dict[str, Any]:
        """Refuse to demote or shut out the last active admin."""
        cleaned = super().clean() or self.cleaned_data
        wanted = User(
            pk=self.instance.pk,
            role=cleaned.get("role", self.instance.role),
            is_active=cleaned.get("is_active", False),
        )
        try:
            services.guard_last_admin(wanted)
        except Problem as problem:
            raise ValidationError(problem.detail) from problem
        return cleaned


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin):
    """People are shut out, not deleted, so that their names in the audit keep a meaning."""

    form = UserForm
    add_form = NewUserForm
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("May", {"fields": ("role", "is_active")}),
        ("About", {"fields": ("email", "last_login", "created_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "role", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("last_login", "created_at")
    list_display = ("username", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    filter_horizontal = ()
    search_fields = ("username", "email")
    ordering = ("username",)

    def audit_target(self, obj: Model) -> str:
        """The user name."""
        return str(getattr(obj, "username", obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Notes what becomes of the rights, for the audit."""
        before = User.objects.select_for_update().filter(pk=obj.pk).first() if change else None
        super().save_model(request, obj, form, change)
        request.rights_change = services.rights_change(before, obj)  # type: ignore[attr-defined]

    def audit(self, request: HttpRequest, obj: Model, verb: str, detail: dict[str, Any]) -> None:
        """With the rights before and after; a new password has a word of its own."""
        if getattr(request, "is_password_change", False):
            verb = "set_password"
        change = getattr(request, "rights_change", {})
        super().audit(request, obj, verb, {**detail, "change": change} if change else detail)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """The password and its audit row in one transaction."""
        request.is_password_change = True  # type: ignore[attr-defined]
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


class NewKeyForm(forms.ModelForm):
    """A key to be made."""

    scopes = forms.MultipleChoiceField(
        choices=[(right.value, right.value) for right in Right],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")

    def clean(self) -> dict[str, Any]:
        """The service's own rules."""
        cleaned = super().clean() or self.cleaned_data
        expires_at = cleaned.get("expires_at")
        self.lifetime = expires_at - timezone.now() if expires_at else None
        try:
            services.check_key(cleaned.get("name", ""), cleaned.get("scopes", []), self.lifetime)
        except Problem as problem:
            raise ValidationError([error["message"] for error in problem.errors]) from problem
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin):
    """Keys are made and revoked, never edited; a new one is shown once."""

    form = NewKeyForm
    list_display = (
        "name",
        "key_id",
        "scopes",
        "created_by",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    search_fields = ("name", "key_id")
    actions = ("revoke",)
    _SHOWN = (
        "name", "key_id", "scopes", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at",
    )  # fmt: skip

    def audit(self, request: HttpRequest, obj: Model, verb: str, detail: dict[str, Any]) -> None:
        """Nothing: the services write the row."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a new key needs, or everything that is known of an old one."""
        return ("name", "scopes", "expires_at") if obj is None else self._SHOWN

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The list is open, so that its action can be used; a key itself cannot be edited."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a revoked key still explains old records."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the key; its plaintext lives as long as this request."""
        actor = request.principal  # type: ignore[attr-defined]
        data = form.cleaned_data
        made, plaintext = services.create_key(data["name"], data["scopes"], form.lifetime, actor)
        obj.pk, obj.key_id = made.pk, made.key_id
        request.new_key = plaintext  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: Any = None
    ) -> HttpResponse:
        """Show the key in the answer itself: a redirect would have to store it."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The new key",
            "key": obj,
            "plaintext": request.new_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/access/apikey/created.html", context)

    @admin.action(description="Revoke selected API keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End the selected keys now."""
        for key_id in queryset.values_list("key_id", flat=True):
            services.revoke_key(key_id, request.principal)  # type: ignore[attr-defined]


# There are no groups: the role decides everything.
admin.site.unregister(Group)
