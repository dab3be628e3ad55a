"""What stands around every page: tabs, who is logged in, where this console runs.

It works without a database and without middleware, because error pages stand in the same shell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from core.access.principals import Principal, Right
from core.problems import Problem

HOME = "/ui/"
#: Label, address, key after `g`.
TABS = (("Nodes", HOME, "n"), ("Events", "/ui/events", "e"), ("Settings", "/ui/settings", "s"))


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the head."""

    label: str
    url: str
    key: str
    current: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """The context of `base.html`. `user_name` is empty for whoever has no session, `now` is the server's clock.

    `reads_are_open`: whether reading needs no credentials (dev).
    """

    tabs: tuple[Tab, ...]
    env: str
    version: str
    build_id: str
    node_id: str
    now: str
    reads_are_open: bool = False
    user_name: str = ""
    role: str = ""
    rights: frozenset[Right] = field(default_factory=frozenset)

    @property
    def is_admin(self) -> bool:
        """Whether links to the administration are of use."""
        return Right.ADMIN in self.rights and bool(self.user_name)

    def may(self, right: str) -> bool:
        """Whether the page offers what needs the right."""
        return right in self.rights or Right.ADMIN in self.rights


def shell_of(request: HttpRequest) -> Shell:
    """The shell of this request, made once."""
    kept = getattr(request, "shell", None)
    if isinstance(kept, Shell):
        return kept
    principal = _principal(request)
    environment = settings.ENVIRONMENT
    shell = Shell(
        tabs=_tabs(request.path),
        env=environment.env,
        version=getattr(settings, "VERSION", ""),
        build_id=environment.build_id,
        node_id=environment.node_id,
        now=timezone.now().isoformat(timespec="milliseconds"),
        reads_are_open=environment.is_dev,
        user_name=principal.name if principal and principal.kind == "user" else "",
        role=(principal.role or "") if principal else "",
        rights=principal.rights if principal else frozenset(),
    )
    request.shell = shell  # type: ignore[attr-defined]
    return shell


def _principal(request: HttpRequest) -> Principal | None:
    """Who asks, or None where that cannot be known now (an error before the middleware, no database)."""
    try:
        principal = getattr(request, "principal", None)
        return principal if principal is None or principal.kind else None
    except (Problem, DatabaseError):
        return None


def _tabs(path: str) -> tuple[Tab, ...]:
    return tuple(Tab(label, url, key, _is_current(path, url)) for label, url, key in TABS)


def _is_current(path: str, url: str) -> bool:
    if url == HOME:
        return path == HOME or path.startswith("/ui/nodes/")
    return path == url or path.startswith(f"{url}/")
