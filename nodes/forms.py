"""The admin's form of a node: a field for every value that an operator may override; empty means inherit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nodes.models import Node
from nodes.registry import FIELDS, Sourced, effective
from nodes.services import faults_of_edit
from nodes.transfer import written_duration, written_require
from nodes.validation import MAINTENANCE

_PAUSED = (("", "Inherit"), ("true", "Paused"), ("false", "Not paused"))
_SOURCES = {
    "default": "default",
    "yaml": "nodes_registry.yml",
    "admin": "set here",
    "env": "the environment, which outranks what is set here",
}


def _lines(text: str) -> list[str]:
    """Items that are separated by commas or line ends."""
    return [item.strip() for item in text.replace("\n", ",").split(",") if item.strip()]


def _pairs(text: str) -> dict[str, str]:
    """`name=value`, one on a line."""
    pairs = {}
    for item in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = item.partition("=")
        if not sign:
            raise forms.ValidationError("Write name=value, one on a line.")
        pairs[name.strip()] = value.strip()
    return pairs


def _text(**options: Any) -> forms.CharField:
    return forms.CharField(required=False, **options)


class BlankJSONField(forms.JSONField):
    """Nothing is shown as nothing, not as the word null."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value in (None, "") else super().prepare_value(value)


class NodeForm(forms.ModelForm):
    """Reads into `changes`, the form that `nodes.services` takes; what is wrong is said at its field."""

    label = _text(max_length=200)
    role = _text(max_length=64)
    env = _text(max_length=32, label="Environment")
    router_url = _text(label="Router URL")
    gateway_url = _text(label="Gateway URL")
    monitor_url = _text(label="Monitor URL")
    auth_ref = _text(label="Key of the node")
    depends_on = _text()
    tags = _text()
    labels = _text(widget=forms.Textarea(attrs={"rows": 2, "cols": 60}))
    paused = forms.ChoiceField(choices=_PAUSED, required=False)
    poll_interval = _text()
    timeout = _text()
    offline_after = forms.IntegerField(required=False, min_value=1, max_value=1000)
    online_after = forms.IntegerField(required=False, min_value=1, max_value=1000)
    stale_after = _text()
    require = BlankJSONField(required=False, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}))
    version_seen = _text(widget=forms.HiddenInput)

    class Meta:
        model = Node
        fields = ("node_id", "maintenance_until")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changes: dict[str, Any] = {}
        is_new = self.instance._state.adding
        self.fields["version_seen"].initial = None if is_new else self.instance.tag
        node = effective(self.instance)
        for name in FIELDS:
            self.fields[name].initial = _shown(name, self.instance.overrides.get(name))
            self.fields[name].help_text = _help(name, None if is_new else node.fields[name])

    def validate_unique(self) -> None:
        """Left to the services: a retired node may come back."""

    def clean(self) -> dict[str, Any]:
        """Everything that the services would refuse."""
        cleaned = super().clean() or self.cleaned_data
        seen, current = cleaned.get("version_seen"), self.instance.tag
        is_new = self.instance._state.adding
        if not is_new and seen != current:
            self.add_error(None, "Somebody changed this node meanwhile: load it again.")
            return cleaned
        self.changes = self._changes(cleaned)
        for fault in faults_of_edit(None if is_new else self.instance.pk, self.changes):
            name = fault["path"].split(".")[0]
            rest = fault["path"].removeprefix(name).lstrip(".")
            message = f"{rest}: {fault['message']}" if rest else fault["message"]
            self.add_error(name if name in self.fields else None, message)
        return cleaned

    def _changes(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name in FIELDS:
            value = cleaned.get(name)
            if value in (None, "", {}):
                changes[name] = None
                continue
            try:
                changes[name] = _READERS.get(name, _same)(value)
            except forms.ValidationError as exc:
                self.add_error(name, exc)
        until = cleaned.get(MAINTENANCE)
        if until != self.initial.get(MAINTENANCE):
            changes[MAINTENANCE] = until
        if self.instance._state.adding:
            changes = {name: value for name, value in changes.items() if value is not None}
            changes["node_id"] = cleaned.get("node_id")
        return changes


def _help(name: str, in_force: Sourced | None) -> SafeString:
    """The admin prints it as HTML as it is, and what is in force may come from a file or a variable."""
    hint = _HINTS.get(name, "")
    if in_force is None:
        return format_html("{}", hint.strip())
    shown = _shown(name, in_force.value)
    text = "–" if shown in (None, "", {}) else str(shown)
    return format_html("In force: {} ({}){}", text, _SOURCES[in_force.source], hint)


def _same(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "depends_on": _lines,
    "tags": _lines,
    "labels": _pairs,
    "paused": "true".__eq__,
}
_HINTS = {
    "label": " What people call it.",
    "monitor_url": " Asked first, at /monitor/status; “self” is this console.",
    "auth_ref": " env:NAME or file:/run/secrets/NAME, never the key itself.",
    "depends_on": " Ids, separated by commas.",
    "tags": " Separated by commas.",
    "labels": " name=value, one on a line.",
    "poll_interval": " Like 30s or 5m.",
    "timeout": " Like 5s.",
    "stale_after": " Like 90s; two intervals and a probe if nobody says otherwise.",
    "offline_after": " Failed probes in a row.",
    "online_after": " Good probes in a row.",
    "require": ' Like {"backends": {"alerts": ["postgres"]}, "artifact_max_age": {"risk_digest": "36h"}}.',
}


def _shown(name: str, value: Any) -> Any:
    """A stored value as the form shows it."""
    if value is None:
        return None
    if name in ("poll_interval", "timeout", "stale_after"):
        return written_duration(value)
    if name in ("depends_on", "tags"):
        return ", ".join(value)
    if name == "labels":
        return "\n".join(f"{key}={text}" for key, text in value.items())
    if name == "paused":
        return "true" if value else "false"
    return written_require(value) if name == "require" else value
