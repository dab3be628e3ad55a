"""The API: every application's router under one document."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.renderers import BaseRenderer

from core import problems
from core.access.api import router as access_router
from core.access.auth import needs
from core.audit.api import router as audit_router
from events.api import router as events_router
from nodes.api import router as nodes_router
from sofiia_site import VERSION, status
from sofiia_site.schemas import FullStatus, Health


class OrjsonRenderer(BaseRenderer):
    """Times as RFC 3339 with Z; never NaN."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z, default=str)


#: Answered in front of Django, so that the framework cannot know of it.
_STREAM = {
    "get": {
        "operationId": "events_stream",
        "summary": "Event Stream",
        "description": "The event log as server-sent events, resumed with `Last-Event-ID` or `since`.",
        "tags": ["Events"],
        "parameters": [
            {"in": "query", "name": name, "required": False, "schema": {"type": kind}}
            for name, kind in (("since", "integer"), ("types", "string"), ("node", "string"))
        ],
        "responses": {"200": {"description": "OK", "content": {"text/event-stream": {}}}},
    }
}


class Api(NinjaAPI):
    """The document also tells of the paths that are answered in front of Django."""

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(*args, **kwargs)
        schema["paths"].setdefault("/api/events/stream", _STREAM)
        return schema


api = Api(
    title="Sofiia Control Plane",
    version=VERSION,
    description="Errors are RFC 9457 problem details. Times are RFC 3339 in UTC.",
    urls_namespace="api",
    docs_url=None,
    openapi_url=None,  # served by a view that asks for the right to read
    renderer=OrjsonRenderer(),
)
problems.install(api)


@api.get("/health", tags=["Health"], auth=None, response=Health)
def health(request: HttpRequest) -> dict[str, Any]:
    """The process answers, and says who it is."""
    return status.health()


@api.get("/status/full", tags=["Health"], auth=needs("read"), response=FullStatus)
async def status_full(request: HttpRequest) -> dict[str, Any]:
    """This console, its parts and the services beside it. An upstream that is down is reported, not waited for."""
    return await status.full_status()


api.add_router("", nodes_router, tags=["Nodes"])
api.add_router("", events_router, tags=["Events"])
api.add_router("", access_router, tags=["Access"])
api.add_router("", audit_router, tags=["Audit"])
