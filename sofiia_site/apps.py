"""The project's own application: commands and checks."""

from django.apps import AppConfig


class SofiiaSiteConfig(AppConfig):
    name = "sofiia_site"

    def ready(self) -> None:
        from sofiia_site import checks  # noqa: F401  registers the system checks
