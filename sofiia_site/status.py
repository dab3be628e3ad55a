"""`/api/status/full`: this console, its parts and the services beside it, never slower than three seconds."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from core import upstreams
from core.outbound import Purpose
from core.upstreams import Answer
from events.hub import get_hub
from nodes.models import Node
from nodes.recording import summary
from nodes.registry import effective
from sofiia_site import SERVICE, VERSION
from sofiia_site.backends import backends, database_name
from sofiia_site.lifecycle import LIFECYCLE
from sofiia_site.readiness import channel_layer, database, poller

_NO_COUNTS = dict.fromkeys(("total", "online", "degraded", "offline", "unknown", "maintenance"))


def identity() -> dict[str, Any]:
    """Who this console is."""
    environment = settings.ENVIRONMENT
    return {
        "service": SERVICE,
        "version": VERSION,
        "build_id": environment.build_id,
        "env": environment.env,
        "uptime_s": LIFECYCLE.uptime_s,
    }


def health() -> dict[str, Any]:
    """`/api/health`: the process answers, and says who it is."""
    return {"status": "ok", **identity()}


def _without_database(error: str) -> dict[str, Any]:
    """What is known when the database does not answer."""
    return {
        "database": {"ok": False, "engine": database_name(), "latency_ms": None, "error": error},
        "poller": {
            "ok": False,
            "last_cycle_at": None,
            "interval_s": None,
            "error": "the database is away",
        },
        "nodes": _NO_COUNTS,
        "router_url": "",
    }


def _ask_database() -> dict[str, Any]:
    base = database()
    if not base.ok:
        return _without_database(base.detail["error"])
    try:
        return {
            "database": base.as_dict(),
            "poller": poller().as_dict(),
            "nodes": summary(timezone.now()),
            "router_url": router_url(),
        }
    except DatabaseError as exc:
        return _without_database(type(exc).__name__)
    finally:
        connection.close()


async def _local() -> dict[str, Any]:
    """What the database knows, waited for no longer than a service beside us.

    In a thread of its own: the request's own thread would hold the reply back until the database has answered.
    """
    asking = asyncio.ensure_future(sync_to_async(_ask_database, thread_sensitive=False)())
    try:
        return await asyncio.wait_for(asyncio.shield(asking), upstreams.DEADLINE_S)
    except TimeoutError:
        asking.add_done_callback(lambda done: done.exception())
        return _without_database(f"no answer within {upstreams.DEADLINE_S:g} s")


def router_url() -> str:
    """The router of the node named by ROUTER_NODE_ID, or nothing."""
    node = Node.objects.active().filter(pk=settings.ENVIRONMENT.router_node_id).first()
    return (effective(node).router_url or "") if node else ""


async def _router(url: str) -> Answer:
    return await upstreams.ask(
        url, ["/health", "/healthz"], Purpose.STATUS, not_service=["memory-service"]
    )


async def _aistalk() -> dict[str, Any]:
    environment = settings.ENVIRONMENT
    url = environment.aistalk_url if environment.aistalk_enabled else ""
    answer = await upstreams.ask(url, ["/health", "/healthz"], Purpose.AISTALK)
    error = answer.error if environment.aistalk_enabled else "not enabled"
    return {**answer.as_dict(), "error": error, "enabled": environment.aistalk_enabled}


async def full_status() -> dict[str, Any]:
    """The whole report. Upstreams are asked at the same time; one that is down is reported, not waited for."""
    environment = settings.ENVIRONMENT
    local, layer = await asyncio.gather(_local(), sync_to_async(channel_layer)())
    router, memory, ollama, models, aistalk = await asyncio.gather(
        _router(local.pop("router_url")),
        upstreams.ask(environment.memory_service_url, ["/health"], Purpose.MEMORY),
        upstreams.ask(environment.ollama_url, ["/api/version"], Purpose.CHAT),
        upstreams.ask(environment.ollama_url, ["/api/tags"], Purpose.CHAT),
        _aistalk(),
    )
    bff = {
        **identity(),
        "aistalk_enabled": environment.aistalk_enabled,
        "ws_clients": get_hub().clients,
    }
    return {
        "bff": bff,
        "router": router.as_dict(),
        "memory": memory.as_dict(),
        "ollama": {**ollama.as_dict(), "models": _model_names(models)},
        "aistalk": aistalk,
        "channel_layer": layer.as_dict(),
        "worker": {"ok": None, "queued": 0, "running": 0, "error": "this version runs no tasks"},
        "backends": backends(),
        "parity": None,
        **local,
    }


def _model_names(tags: Answer) -> list[str]:
    models = tags.body.get("models") if tags.body else None
    if not isinstance(models, list):
        return []
    names = [model.get("name") for model in models if isinstance(model, dict)]
    return [name[:100] for name in names if isinstance(name, str)][:200]
