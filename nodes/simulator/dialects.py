"""What the well-behaved kinds of node answer, by path. Shapes are those that the real services were seen to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nodes.simulator.characters import Character
from nodes.simulator.connection import Request
from nodes.simulator.vitals import Vitals

Page = Callable[[Vitals], Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed answer."""

    status: int
    body: Any


def _fixed(body: Any) -> Page:
    return lambda vitals: body


def _router_health(vitals: Vitals) -> Any:
    return {"status": "ok", "service": "router", "version": "1.0.0", "nats_connected": True,
            "messaging_inbound_enabled": True}  # fmt: skip


def _gateway_health(vitals: Vitals) -> Any:
    agent = {"name": "DAARWIZZ", "prompt_loaded": True, "telegram_token_configured": False}
    return {"status": "healthy", "agents": {"daarwizz": agent}, "agents_count": 1,
            "timestamp": datetime.now(UTC).isoformat()}  # fmt: skip


def _edge_health(vitals: Vitals) -> Any:
    return {"ok": True, "service": "daarion-edge-backend", "status": "ok", "version": "0.9.2"}


def _dagi_health(vitals: Vitals) -> Any:
    return {"status": "healthy", "service": "dagi-router", "version": "1.0.0",
            "node": vitals.node_id}  # fmt: skip


def _dagi_info(vitals: Vitals) -> Any:
    return {
        "node": {"id": vitals.node_id, "role": "router", "env": "dev"},
        "providers": {"count": 1, "providers": {"llm_local": {"id": "llm_local", "type": "llm"}}},
        "routing": {"count": 1, "rules": [{"id": "default"}]},
    }


_MODELS = {"models": [{"id": "qwen3:8b", "backend": "swapper", "size_gb": 5.2, "status": "loaded"}], "total": 1}  # fmt: skip
_BACKENDS = [{"name": "swapper", "url": "http://swapper:8890", "status": "online",
              "active_model": "qwen3:8b", "error": None}]  # fmt: skip
_ROUTER: dict[str, Page] = {
    "/health": _router_health,
    "/v1/models": _fixed(_MODELS),
    "/backends/status": _fixed(_BACKENDS),
}
PAGES: dict[Character, dict[str, Page]] = {
    Character.HONEST: {
        "/monitor/status": Vitals.monitor_status,
        "/healthz": _fixed({"ok": True, "status": "ok"}),
        **_ROUTER,
    },
    Character.EDGE: {"/healthz": _edge_health, "/readyz": _edge_health},
    Character.ROUTER: _ROUTER,
    Character.GATEWAY: {"/health": _gateway_health, "/": _fixed({"service": "bot-gateway"})},
    Character.DAGI: {"/health": _dagi_health, "/info": _dagi_info},
}


def _infer(request: Request) -> Reply:
    if b'"prompt"' not in request.body:
        missing = {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}
        return Reply(422, {"detail": [missing]})
    return Reply(200, {"response": "A simulated answer.", "model": "qwen3:8b", "tokens_used": 4,
                       "backend": "swapper+ollama"})  # fmt: skip


def _route(request: Request) -> Reply:
    if b'"message"' not in request.body:
        return Reply(502, {"detail": "No message provided"})
    data = {"text": "A simulated answer.", "model": "qwen3:8b", "usage": {"total_tokens": 4}}
    return Reply(200, {"ok": True, "provider": "llm_local", "data": data, "error": None,
                       "metadata": {"provider_type": "llm", "model": "qwen3:8b"}})  # fmt: skip


def _echo(request: Request) -> Reply:
    return Reply(200, {"method": request.method, "target": request.target, "headers": request.headers,
                       "body": request.body.decode("latin-1")})  # fmt: skip


def respond(character: Character, vitals: Vitals, request: Request) -> Reply:
    """The answer of a node of this character; characters without a dialect of their own speak as the honest one.

    Every one of them has `/_sim/echo`, which tells what arrived.
    """
    if request.path == "/_sim/echo":
        return _echo(request)
    pages = PAGES.get(character, PAGES[Character.HONEST])
    if request.method == "POST" and character is Character.DAGI and request.path == "/route":
        return _route(request)
    if request.method == "POST" and pages.get("/v1/models") and request.path.endswith("/infer"):
        return _infer(request)
    page = pages.get(request.path)
    if page is None:
        return Reply(404, {"detail": "Not Found"})
    if request.method != "GET":
        return Reply(405, {"detail": "Method Not Allowed"})
    return Reply(200, page(vitals))
