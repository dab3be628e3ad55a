"""The project's own application: commands, checks, and what the others ask of it."""

from django.apps import AppConfig


class SofiiaSiteConfig(AppConfig):
    """Registers the system checks and tells the prober how to ask this console."""

    name = "sofiia_site"

    def ready(self) -> None:
        from nodes.client import register_self
        from sofiia_site import checks  # noqa: F401  registers the system checks
        from sofiia_site.own_status import monitor_status

        register_self(monitor_status)
