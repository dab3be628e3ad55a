"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from core.access.models import Role
from core.problems import Problem


class Right(StrEnum):
    """What a call may need. API keys carry these as scopes; roles imply them."""

    READ = "read"
    OPS = "ops"
    PROXY = "proxy"
    INGEST = "ingest"
    ADMIN = "admin"


Kind = Literal["anonymous", "user", "key", "bootstrap", "system", "cli"]

_ALL = frozenset(Right)
ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.OPERATOR: frozenset({Right.READ, Right.OPS, Right.PROXY, Right.INGEST}),
    Role.ADMIN: _ALL,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that acts. `name` is what the audit shows (`olena`, `key:ci`, `system:poller`, `cli:root`)."""

    kind: Kind
    name: str
    rights: frozenset[Right] = frozenset()
    role: str | None = None
    user_id: int | None = None
    key_id: str | None = None
    session_key: str | None = None
    address: str = ""
    request_id: str = ""

    def has(self, right: Right | str) -> bool:
        """Whether the principal holds the right; `admin` includes every other."""
        return right in self.rights or Right.ADMIN in self.rights

    def require(self, right: Right | str) -> None:
        """Raise a Problem, 401 for nobody in particular and 403 for somebody without the right."""
        if self.has(right):
            return
        if self.kind == "anonymous":
            raise unauthenticated()
        raise Problem(403, "forbidden", f"This needs the right {str(right)!r}.")

    def at(self, address: str, request_id: str) -> Principal:
        """The same principal, with where and in which request it acts."""
        return replace(self, address=address, request_id=request_id)


def unauthenticated(detail: str = "Credentials are needed for this.") -> Problem:
    """401 with the challenge that RFC 9110 asks for."""
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def system(part: str) -> Principal:
    """The console itself: `system:poller`, `system:retention`."""
    return Principal(kind="system", name=f"system:{part}", rights=_ALL, role=Role.ADMIN)


ANONYMOUS = Principal(kind="anonymous", name="anonymous")
