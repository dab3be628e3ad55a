"""What the operating system says, as errors that tell whose fault it was."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Literal

from core.outbound.errors import ConnectFailed, LocalFault, OutboundError, TlsFailed

_LOCAL = {
    errno.EMFILE: "this process has no free file descriptors",
    errno.ENFILE: "this machine has no free file descriptors",
    errno.ENOBUFS: "this machine has no buffer space for connections",
    errno.ENOMEM: "this machine has no memory for connections",
    errno.EADDRNOTAVAIL: "this machine has no free local port or no address of this kind",
    errno.EAFNOSUPPORT: "this machine does not speak this kind of address",
    errno.EACCES: "this machine forbids the connection",
    errno.EPERM: "this machine forbids the connection",
    errno.ENETDOWN: "this machine's network is down",
}
_RESET = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
_Kind = Literal["refused", "unreachable", "reset", "timeout"]
_REMOTE: dict[int, tuple[str, _Kind]] = {
    errno.ECONNREFUSED: ("connection refused", "refused"),
    errno.EHOSTUNREACH: ("host unreachable", "unreachable"),
    errno.ENETUNREACH: ("network unreachable", "unreachable"),
    errno.EHOSTDOWN: ("host unreachable", "unreachable"),
    errno.ETIMEDOUT: ("connection timed out", "timeout"),
}


def is_reset(exc: OSError) -> bool:
    """Whether the other side (or something on the way) tore the connection down."""
    return isinstance(exc, ConnectionError) and exc.errno in (*_RESET, None)


def connect_fault(exc: OSError, address: str) -> OutboundError:
    """The error behind a failed connect to `address`."""
    if isinstance(exc, ssl.SSLError):
        return tls_fault(exc)
    if exc.errno in _LOCAL:
        return LocalFault(_LOCAL[exc.errno])
    if exc.errno == errno.ENETUNREACH and not _has_route(address):
        return LocalFault("this machine has no route to the address")
    if is_reset(exc):
        return ConnectFailed("connection reset", "reset")
    message, kind = _REMOTE.get(exc.errno or 0, ("connection failed", "unreachable"))
    return ConnectFailed(message, kind)


def tls_fault(exc: ssl.SSLError) -> TlsFailed:
    """The error behind a failed handshake; the certificate's own words where there are some."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return TlsFailed(f"certificate not accepted: {exc.verify_message.rstrip('.')}")
    reason = (exc.reason or "").replace("_", " ").lower()
    return TlsFailed(f"TLS failed: {reason}" if reason else "TLS failed")


def _has_route(address: str) -> bool:
    """Whether the routing table knows a way; asks the kernel and sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
