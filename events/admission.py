"""What happens before a stream begins, the same for both kinds: filter, place to start, room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from core.access.principals import Principal
from events import frames as controls
from events.connections import Connection
from events.filters import BadFilter, Filter, filter_for
from events.hub import Hub
from events.queries import Head
from events.subscription import Subscription

_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Opening:
    """How a stream begins: the frames that come before its first event, its filter, and the id it goes on from."""

    controls: list[dict[str, Any]]
    filter: Filter
    cursor: int


def query_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The query parameters; a repeated one is joined by commas."""
    text = scope.get("query_string", b"").decode("latin-1")
    try:
        given = parse_qs(text, max_num_fields=20)
    except ValueError:
        return {}
    return {name: ",".join(values) for name, values in given.items()}


def address_of(principal: Principal, scope: Mapping[str, Any]) -> str:
    """Where the stream is asked for from: as the principal has it, else as the server does."""
    return str(principal.address or (scope.get("client") or ("", 0))[0])


def types_of(text: str | None) -> list[str] | None:
    """The names in a comma-separated list; None when there are none."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    return names or None


def asked_filter(principal: Principal, query: Mapping[str, str]) -> Filter:
    """The filter that the query parameters ask for. Raises BadFilter."""
    types = types_of(query.get("types") or query.get("type"))
    return filter_for(principal, types, query.get("node") or None)


def prepare(principal: Principal, query: Mapping[str, str], head: Head) -> Opening:
    """Decide how the stream begins. What cannot be given as asked is said in a frame, never passed over in silence."""
    said = [controls.hello(head.last_id, head.oldest_id, head.log_id)]
    try:
        wanted = asked_filter(principal, query)
    except BadFilter as exc:
        said.append(controls.error("bad_filter", str(exc)))
        wanted = filter_for(principal, None, None)
    said += refused_types(wanted)
    cursor, complaint = _starting_point(query.get("since"), head)
    if complaint:
        said.append(controls.gap(head.oldest_id, complaint, last_id=head.last_id))
    return Opening(said, wanted, cursor)


def refused_types(wanted: Filter) -> list[dict[str, Any]]:
    """An error frame when types were asked for by name that the stream may not see."""
    names = sorted((wanted.types or frozenset()) & wanted.hidden)
    if not names:
        return []
    message = "these types need the right 'admin'"
    return [controls.error("forbidden", message, types=names)]


def begin(
    hub: Hub, connection: Connection, principal: Principal, address: str, opening: Opening
) -> Subscription:
    """Join the hub. Raises HubRefusal."""
    subscription = Subscription(
        hub,
        connection,
        principal=principal,
        address=address,
        filter=opening.filter,
        cursor=opening.cursor,
    )
    hub.join(subscription)
    return subscription


def _starting_point(since: str | None, head: Head) -> tuple[int, str | None]:
    """The cursor to start from and, where it is not the one asked for, why."""
    if since is None or not since.strip():
        return head.last_id, None
    since = since.strip()
    if not (since.isascii() and since.isdigit()):
        return head.last_id, "invalid"
    if len(since.lstrip("0")) > _MAX_DIGITS or int(since) > head.last_id:
        return head.last_id, "ahead"
    return int(since), None
