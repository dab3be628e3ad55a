"""`/api/keys` and `/api/me`. Keys are managed with credentials only, in dev too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from core.access import queries, services
from core.access.auth import needs
from core.access.models import ApiKey
from core.access.principals import Principal
from core.policies.fields import Duration

router = Router()
Limit = Annotated[int, Query(ge=1, le=500)]


class NewKey(Schema):
    """`expires` is a duration such as `90d`; without it the key does not expire."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    scopes: list[str] = Field(min_length=1, max_length=8)
    expires: Duration | None = None


class KeyOut(Schema):
    """A key, without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    """A key that was just made; `key` is the plaintext."""

    key: str


class KeysOut(Schema):
    """A page of keys."""

    items: list[KeyOut]
    next: str | None


class MeOut(Schema):
    """Who asks."""

    kind: str
    name: str
    role: str | None
    rights: list[str]


@router.get("/me", auth=needs(None), response=MeOut)
def me(request: HttpRequest) -> dict[str, Any]:
    """Who the caller is to this console, and what it may do."""
    principal = _principal(request)
    return {
        "kind": principal.kind,
        "name": principal.name,
        "role": principal.role,
        "rights": sorted(principal.rights),
    }


@router.get("/keys", auth=needs("admin", credentials=True), response=KeysOut)
def list_keys(request: HttpRequest, limit: Limit = 50, after: str | None = None) -> dict[str, Any]:
    """Every key, newest first; never the secrets."""
    found, following = queries.keys_page(limit=limit, after=after)
    return {"items": [key_dict(key) for key in found], "next": following}


@router.post("/keys", auth=needs("admin", credentials=True), response={201: NewKeyOut})
def create_key(request: HttpRequest, payload: NewKey) -> Status:
    """Make a key. `key` in the answer is shown this once."""
    lifetime = None if payload.expires is None else timedelta(seconds=payload.expires)
    key, plaintext = services.create_key(
        payload.name, payload.scopes, lifetime, _principal(request)
    )
    return Status(201, {**key_dict(key), "key": plaintext})


@router.delete("/keys/{key_id}", auth=needs("admin", credentials=True), response={204: None})
def revoke_key(request: HttpRequest, key_id: str) -> Status:
    """Revoke a key; every process refuses it within a second."""
    services.revoke_key(key_id, _principal(request))
    return Status(204, None)


def key_dict(key: ApiKey) -> dict[str, Any]:
    """A key as the API and the commands show it."""
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": key.scopes,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _principal(request: HttpRequest) -> Principal:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal
