"""What the pages of access read from their forms. The rules themselves live in the services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from core.access.models import ApiKey
from core.access.principals import Right

#: What each scope is good for, in the words of the page.
SCOPES = (
    (Right.READ, "read nodes, events, status"),
    (Right.OPS, "probe, run tasks, acknowledge"),
    (Right.PROXY, "write to nodes through the proxy"),
    (Right.INGEST, "append events and alerts"),
    (Right.ADMIN, "everything"),
)
LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "one year"), ("", "never"))


class LoginForm(forms.Form):
    """User name and password."""

    username = forms.CharField(max_length=64)
    password = forms.CharField(max_length=1024, strip=False)


class WelcomeForm(forms.Form):
    """The first admin: a name and a password, twice."""

    username = forms.CharField(max_length=64)
    password = forms.CharField(max_length=1024, strip=False)
    again = forms.CharField(max_length=1024, strip=False)

    def clean(self) -> dict[str, Any]:
        """Both passwords are the same."""
        return _same_twice(self, super().clean() or self.cleaned_data, "password")


class PasswordForm(forms.Form):
    """The old password, and the new one twice."""

    old = forms.CharField(max_length=1024, strip=False)
    new = forms.CharField(max_length=1024, strip=False)
    again = forms.CharField(max_length=1024, strip=False)

    def clean(self) -> dict[str, Any]:
        """Both new passwords are the same."""
        return _same_twice(self, super().clean() or self.cleaned_data, "new")


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        max_length=ApiKey._meta.get_field("name").max_length,
        error_messages={"required": "Give the key a name."},
    )
    scopes = forms.MultipleChoiceField(
        choices=[(right.value, text) for right, text in SCOPES],
        error_messages={"required": "Choose at least one scope."},
    )
    days = forms.ChoiceField(choices=LIFETIMES, required=False)

    def clean_name(self) -> str:
        """Another name than those of the keys in use: in the list and the audit nobody could tell them apart."""
        name: str = self.cleaned_data["name"]
        if ApiKey.objects.usable(timezone.now()).filter(name=name).exists():
            raise forms.ValidationError(
                "A key of this name is in use. Revoke it first, or choose another name."
            )
        return name

    @property
    def lifetime(self) -> timedelta | None:
        """How long the key is good; None: until it is revoked."""
        days = self.cleaned_data["days"]
        return timedelta(days=int(days)) if days else None


def _same_twice(form: forms.Form, data: dict[str, Any], field: str) -> dict[str, Any]:
    if data.get(field) and data.get("again") and data[field] != data["again"]:
        form.add_error("again", "The two passwords differ.")
    return data


def errors_of(form: forms.Form) -> dict[str, str]:
    """The first sentence per field."""
    return {name: str(messages[0]) for name, messages in form.errors.items()}
