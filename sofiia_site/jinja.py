"""The Jinja2 environment of the console's pages: strict, auto-escaping, with a handful of filters."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from jinja2 import Environment, StrictUndefined

from core.formatting import FILTERS


def environment(**options: Any) -> Environment:
    """Used by Django's Jinja2 backend (settings.TEMPLATES)."""
    options.setdefault("undefined", StrictUndefined)
    options.update(trim_blocks=True, lstrip_blocks=True)
    env = Environment(**options)  # noqa: S701  Django passes autoescape from settings.TEMPLATES
    env.globals.update(static=static, url=reverse)
    env.filters.update(FILTERS)
    return env
