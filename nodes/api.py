"""`/api/nodes`: the registry and what is known of its nodes, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from core import safe_json
from core.access.auth import needs
from core.access.principals import Principal
from core.policies.loader import PolicyError
from core.problems import Problem
from nodes import discovery, queries, services, transfer
from nodes.history import history
from nodes.queries import NodeView
from nodes.schemas import (
    HistoryOut,
    ImportIn,
    ImportOut,
    NodeChange,
    NodeCreate,
    NodeOut,
    NodePage,
    RevisionPage,
    TargetGroup,
    TransitionPage,
)
from nodes.validation import is_node_id

router = Router()
_EXPORTED = {
    "responses": {
        200: {
            "content": {
                "application/yaml": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            }
        }
    }
}


def _body(model: type[Any], *media_types: str) -> dict[str, Any]:
    """The request body's description; the services check it, so that all faults are told at once."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content = {kind: {"schema": schema} for kind in ("application/json", *media_types)}
    return {"requestBody": {"required": True, "content": content}}


def _actor(request: HttpRequest) -> Principal:
    return request.principal  # type: ignore[attr-defined, no-any-return]


def _known(node_id: str) -> str:
    """The id, if it can be one at all."""
    if not is_node_id(node_id):
        raise queries.no_such_node(node_id)
    return node_id


def _answer(response: HttpResponse, view: NodeView) -> dict[str, Any]:
    response["ETag"] = f'"{view.row.tag}"'
    return view.as_dict()


def _read_object(request: HttpRequest) -> dict[str, Any]:
    try:
        data = safe_json.loads(request.body)
    except safe_json.UnsafeJson as exc:
        raise Problem(400, "bad_request", f"The body {exc.reason}.") from exc
    if isinstance(data, dict):
        return data
    raise Problem(422, "invalid_node", "The body must be a JSON object.")


def _if_match(request: HttpRequest) -> set[str] | None:
    """The revisions that `If-Match` names; None: any. A weak tag counts, since proxies that compress weaken tags."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}


@router.get("/nodes", response=NodePage, auth=needs("read"))
def list_nodes(
    request: HttpRequest,
    status: Literal["online", "degraded", "offline", "unknown", "maintenance", "paused", ""] = "",
    env: str = "",
    role: str = "",
    tag: str = "",
    q: str = "",
    after: str = "",
    limit: int = Query(50, ge=1, le=500),
) -> dict[str, Any]:
    """The fleet by id, filtered; `summary` counts the whole fleet."""
    fleet = queries.fleet()
    found = queries.matching(fleet.nodes, status=status, env=env, role=role, tag=tag, q=q)
    rest = sorted(
        (view for view in found if view.node.node_id > after), key=lambda view: view.node.node_id
    )
    page = rest[:limit]
    return {
        "items": [view.as_dict() for view in page],
        "next": page[-1].node.node_id if len(rest) > limit else None,
        "summary": fleet.summary,
    }


@router.get("/nodes/dashboard", response=NodePage, auth=needs("read"))
def dashboard(request: HttpRequest) -> dict[str, Any]:
    """The whole fleet at once, worst first: the path of older clients."""
    fleet = queries.fleet()
    return {
        "items": [view.as_dict() for view in fleet.nodes],
        "next": None,
        "summary": fleet.summary,
    }


@router.get("/nodes/export", auth=needs("read"), openapi_extra=_EXPORTED)
def export(request: HttpRequest, format: Literal["yaml", "json"] = "yaml") -> HttpResponse:
    """The registry as a file for `config/nodes_registry.yml`, or as JSON that the import takes."""
    if format == "json":
        return HttpResponse(transfer.export_json(), content_type="application/json")
    response = HttpResponse(transfer.export_yaml(), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="nodes_registry.yml"'
    return response


@router.post(
    "/nodes/import",
    response=ImportOut,
    auth=needs("admin"),
    openapi_extra=_body(ImportIn, "application/yaml"),
)
def import_document(request: HttpRequest, dry_run: bool = False) -> services.ImportResult:
    """Make the registry say exactly this of the given nodes: all of them, or none if one is wrong."""
    if len(request.body) > transfer.MAX_BYTES:
        raise Problem(413, "body_too_large", "An import has at most 1 MiB.")
    try:
        nodes = transfer.read_document(request.body)
    except PolicyError as exc:
        raise Problem(400, "bad_request", str(exc)) from exc
    return services.import_nodes(nodes, _actor(request), dry_run=dry_run)


@router.post(
    "/nodes", response={201: NodeOut}, auth=needs("admin"), openapi_extra=_body(NodeCreate)
)
def create(request: HttpRequest, response: HttpResponse) -> Status:
    """Add a node; it is probed at once."""
    node = services.create_node(_read_object(request), _actor(request))
    response["Location"] = f"/api/nodes/{node.node_id}"
    return Status(201, _answer(response, queries.node_view(node.node_id)))


@router.get("/nodes/{node_id}", response=NodeOut, auth=needs("read"))
def read(request: HttpRequest, response: HttpResponse, node_id: str) -> dict[str, Any]:
    """One node; its `ETag` is for `If-Match` on an edit."""
    return _answer(response, queries.node_view(_known(node_id)))


@router.patch(
    "/nodes/{node_id}", response=NodeOut, auth=needs("admin"), openapi_extra=_body(NodeChange)
)
def change(request: HttpRequest, response: HttpResponse, node_id: str) -> dict[str, Any]:
    """Override fields; null takes an override back. `If-Match` guards against an edit in between (412)."""
    services.update_node(
        _known(node_id), _read_object(request), _actor(request), _if_match(request)
    )
    return _answer(response, queries.node_view(node_id))


@router.delete("/nodes/{node_id}", response={204: None}, auth=needs("admin"))
def delete(request: HttpRequest, node_id: str) -> Status:
    """Delete a node and its history; one that the registry file declares has to be removed there (409)."""
    services.delete_node(_known(node_id), _actor(request), _if_match(request))
    return Status(204, None)


@router.post("/nodes/{node_id}/probe", response=NodeOut, auth=needs("ops"))
def probe(request: HttpRequest, response: HttpResponse, node_id: str) -> dict[str, Any]:
    """Probe now and answer with the fresh state."""
    services.probe_node(_known(node_id), _actor(request))
    return _answer(response, queries.node_view(node_id))


@router.get("/nodes/{node_id}/history", response=HistoryOut, auth=needs("read"))
def node_history(
    request: HttpRequest, node_id: str, range: Literal["1h", "24h", "7d", "30d"] = "24h"
) -> dict[str, Any]:
    """Buckets of the range, oldest first and without holes."""
    queries.node_view(_known(node_id))
    return {"items": history(node_id, range), "next": None, "range": range}


@router.get("/nodes/{node_id}/transitions", response=TransitionPage, auth=needs("read"))
def node_transitions(
    request: HttpRequest,
    node_id: str,
    before: int | None = Query(None, ge=1, lt=2**63),
    limit: int = Query(50, ge=1, le=500),
) -> dict[str, Any]:
    """Changes of status, newest first."""
    queries.node_view(_known(node_id))
    rows = queries.transitions(node_id, limit + 1, before)
    return _page(rows, limit, lambda row: row.id)


@router.get("/nodes/{node_id}/revisions", response=RevisionPage, auth=needs("read"))
def node_revisions(
    request: HttpRequest,
    node_id: str,
    before: int | None = Query(None, ge=1, lt=2**31),
    limit: int = Query(50, ge=1, le=500),
) -> dict[str, Any]:
    """Edits of the node, newest first."""
    queries.node_view(_known(node_id))
    rows = queries.revisions(node_id, limit + 1, before)
    return _page(rows, limit, lambda row: row.version)


@router.get("/sd/prometheus", response=list[TargetGroup], auth=needs("read"))
def prometheus_targets(request: HttpRequest) -> list[dict[str, Any]]:
    """The fleet for Prometheus' `http_sd_configs`."""
    return discovery.target_groups(queries.fleet().nodes)


def _page(rows: list[Any], limit: int, key: Callable[[Any], int]) -> dict[str, Any]:
    """`limit` of the rows, and the cursor to the next ones if there is one more."""
    page = rows[:limit]
    return {"items": page, "next": key(page[-1]) if len(rows) > limit else None}
