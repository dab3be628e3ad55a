"""The scheduler part: configuration files that change, and everything that has to be forgotten in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import close_old_connections, connections, transaction
from django.utils import timezone

from core.access.models import OneTimeLogin, Throttle
from core.access.principals import system
from core.outbound.guard import reload as reload_guard
from core.policies.loader import PolicyError
from events import services as events
from events.retention import prune
from nodes.history import prune_history
from nodes.services import sync_registry
from sofiia_site.serving.refusals import listen

logger = logging.getLogger("sofiia.scheduler")

FILES_EVERY_S = 5.0
FORGET_EVERY_S = 600.0


def forget() -> None:
    """Delete what is past its time: events, history, sessions, one-time logins, throttle windows."""
    now = timezone.now()
    prune()
    prune_history()
    Session.objects.filter(expire_date__lt=now).delete()
    OneTimeLogin.objects.filter(expires_at__lt=now - timedelta(days=7)).delete()
    Throttle.objects.filter(window_ends_at__lt=now - timedelta(hours=1)).delete()


class WatchedFile:
    """A policy file and what to do when it changes. A file that is broken changes nothing; an event says so."""

    def __init__(self, path: Path, apply: Callable[[], object], *, tell: bool) -> None:
        self.path = path
        self.apply = apply
        self.tell = tell
        self.seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    def look(self) -> None:
        """Apply the file when it is not the one that was seen last."""
        stamp = self._stamp()
        if stamp == self.seen:
            return
        name = self.path.stem
        try:
            self.apply()
        except PolicyError as exc:
            logger.error("policy refused", extra={"policy": name, "fault": str(exc)})
            self._tell("error", {"code": "policy_invalid", "policy": name, "detail": str(exc)})
        else:
            logger.info("policy applied", extra={"policy": name})
            self._tell("policy.changed", {"policy": name})
        self.seen = stamp  # not before: a change that the database was too busy for is not lost

    def _tell(self, type: str, data: dict[str, str]) -> None:
        if not self.tell:
            return
        with transaction.atomic():
            events.append(type, data)


def registry_file() -> WatchedFile:
    """The node registry: applied by whoever runs the scheduler."""
    return WatchedFile(
        _folder() / "nodes_registry.yml", lambda: sync_registry(system("registry")), tell=True
    )


def allowlist_file(*, tell: bool) -> WatchedFile:
    """The network policy: every process has its own guard to renew."""
    return WatchedFile(_folder() / "network_allowlist.yml", reload_guard, tell=tell)


def _folder() -> Path:
    return Path(settings.CONFIG_DIR or settings.BASE_DIR / "config")


async def run_scheduler(stop: asyncio.Event) -> None:
    """Look at the files and forget, until `stop`; a database that is away is waited for."""
    await _turn_until(stop, [registry_file(), allowlist_file(tell=True)], forget)


async def run_follower(stop: asyncio.Event) -> None:
    """What a process without the scheduler has to do for itself."""
    await _turn_until(stop, [allowlist_file(tell=False)], None)


async def _turn_until(
    stop: asyncio.Event, files: list[WatchedFile], forget: Callable[[], None] | None
) -> None:
    forget_at = time.monotonic() + 30
    loop = asyncio.get_running_loop()
    report = listen()

    def turn(with_forget: bool) -> None:
        close_old_connections()
        for file in files:
            file.look()
        report.flush()
        if with_forget and forget:
            forget()

    with ThreadPoolExecutor(1, "scheduler") as thread:
        while not stop.is_set():
            due = time.monotonic() >= forget_at
            if due:
                forget_at = time.monotonic() + FORGET_EVERY_S
            try:
                await loop.run_in_executor(thread, turn, due)
            except Exception:  # a full disk or a database that is away must not end the console
                logger.exception("housekeeping failed; it is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FILES_EVERY_S)
        await loop.run_in_executor(thread, connections.close_all)
