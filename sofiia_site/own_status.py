"""This console as a monitored node: the runbook's `/monitor/status`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone

from sofiia_site import SERVICE, VERSION
from sofiia_site.backends import backends
from sofiia_site.lifecycle import LIFECYCLE


def monitor_status() -> dict[str, Any]:
    """The body. What this version does not measure of itself is null, never invented.

    A console that is going down says so by `online: false`.
    """
    return {
        "online": not LIFECYCLE.draining,
        "ts": timezone.now(),
        "node_id": settings.ENVIRONMENT.node_id,
        "service": SERVICE,
        "version": VERSION,
        "build_id": settings.ENVIRONMENT.build_id,
        "heartbeat_age_s": 0,  # this answer is the heartbeat
        "router": None,
        "gateway": None,
        "alerts_loop_slo": None,
        "open_incidents": None,
        "backends": backends(),
        "last_artifacts": {},
    }
