"""From a target to a connection: resolve once, judge every address, connect to a judged one."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from core.outbound.errors import ConnectFailed, NameUnresolved, OutboundError, PolicyRefused
from core.outbound.faults import connect_fault
from core.outbound.guard import Guard
from core.outbound.protocol import AnswerProtocol
from core.outbound.purpose import Purpose
from core.outbound.urls import Target

P = TypeVar("P", bound=AnswerProtocol)


@lru_cache(maxsize=1)
def default_tls() -> ssl.SSLContext:
    """The machine's trusted authorities, names checked, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


async def checked_addresses(target: Target, purpose: Purpose, guard: Guard) -> list[str]:
    """The addresses of the target that the guard lets pass, in the resolver's order.

    Raises NameUnresolved, or PolicyRefused when none may be connected to.
    """
    if target.literal is not None:
        found = [target.host]
    else:
        found = await resolve(target)
    allowed: list[str] = []
    refusal: PolicyRefused | None = None
    for ip in found:
        try:
            address = guard.check_address(purpose, target.scheme, target.host, ip, target.port)
        except PolicyRefused as exc:
            refusal = exc
            continue
        if address not in allowed:
            allowed.append(address)
    if not allowed:
        raise refusal or NameUnresolved("the host name has no address")
    return allowed


async def resolve(target: Target) -> list[str]:
    """All addresses of the target's name, from the system's resolver."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_AGAIN:
            raise NameUnresolved("the name server does not answer", is_temporary=True) from exc
        raise NameUnresolved("the host name is not known") from exc
    except (OSError, UnicodeError) as exc:
        raise NameUnresolved("the host name cannot be looked up") from exc
    return [str(entry[4][0]) for entry in found]


async def dial(
    target: Target,
    addresses: list[str],
    factory: Callable[[], P],
    tls: ssl.SSLContext | None,
    deadline: float | None,
) -> tuple[P, str]:
    """A protocol connected to the first of the addresses that takes the connection, and that address.

    `deadline` is the caller's, on the loop's clock; it is shared among the addresses, and enforced by the caller.
    """
    if len(addresses) == 1:
        return await _connect(target, addresses[0], factory, tls), addresses[0]
    errors: list[OutboundError] = []
    clock = asyncio.get_running_loop().time
    for place, address in enumerate(addresses):
        # A silent address may use its share of the remaining time only.
        share = None if deadline is None else (deadline - clock()) / (len(addresses) - place)
        try:
            async with asyncio.timeout(share):
                return await _connect(target, address, factory, tls), address
        except TimeoutError:
            errors.append(ConnectFailed("connection timed out", "timeout"))
        except OutboundError as exc:
            errors.append(exc)
    raise next((e for e in errors if isinstance(e, ConnectFailed)), errors[0])


async def _connect(
    target: Target, address: str, factory: Callable[[], P], tls: ssl.SSLContext | None
) -> P:
    loop = asyncio.get_running_loop()
    try:
        if target.scheme == "http":
            _, protocol = await loop.create_connection(factory, address, target.port)
        else:
            _, protocol = await loop.create_connection(
                factory,
                address,
                target.port,
                ssl=tls or default_tls(),
                server_hostname=target.host,
            )
    except OSError as exc:
        raise connect_fault(exc, address) from exc
    return protocol
