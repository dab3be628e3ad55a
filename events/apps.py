"""Wires the log to what it listens to."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "Events"

    def ready(self) -> None:
        """Every audit record becomes an event; with Redis the doorbell rings in other processes too."""
        import_module("events.receivers").connect()
        if settings.ENVIRONMENT.redis_url:
            import_module("events.doorbell").connect(import_module("events.relay").get_relay())
