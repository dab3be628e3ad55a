"""System checks: the same faults that keep `serve` from starting."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_environment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """One error per fault of the environment (sofiia.E001)."""
    return [Error(fault, id="sofiia.E001") for fault in settings.ENVIRONMENT.faults]


@register(Tags.files)
def check_config_dir(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The policies have to be found (sofiia.E002)."""
    if settings.CONFIG_DIR is not None:
        return []
    return [
        Error(
            "no directory with nodes_registry.yml was found",
            hint="Set CONFIG_DIR, or start in a directory that has config/nodes_registry.yml.",
            id="sofiia.E002",
        )
    ]
