"""Everything that can go wrong on the way out. `str(error)` is a short sentence for operators."""

from __future__ import annotations

from typing import Literal

Phase = Literal["resolve", "connect", "send", "first_byte", "body"]
_UNDONE: dict[Phase, str] = {
    "resolve": "the name was not resolved",
    "connect": "no connection",
    "send": "the request was not taken",
    "first_byte": "no answer",
    "body": "the answer was not complete",
}


class OutboundError(Exception):
    """No usable answer came back. The message is safe to show: it never holds a header, a key or a body."""


class PolicyRefused(OutboundError):
    """The network allowlist does not let this connection out; nothing was sent."""


class UrlRefused(PolicyRefused, ValueError):
    """The address itself is not acceptable; the message says what to write instead."""


class RequestRefused(PolicyRefused, ValueError):
    """The method, a header or the body is not what HTTP can carry or what was announced."""


class NameUnresolved(OutboundError):
    """The host name has no address. `is_temporary`: the name server did not answer, so the name may be right."""

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class ConnectFailed(OutboundError):
    """There is nobody to talk to at the address."""

    def __init__(
        self, message: str, kind: Literal["refused", "unreachable", "reset", "timeout"]
    ) -> None:
        super().__init__(message)
        self.kind = kind


class DeadlineExceeded(OutboundError):
    """The whole time was up. `phase` says what it was spent on."""

    def __init__(self, phase: Phase, deadline_s: float) -> None:
        super().__init__(f"{_UNDONE[phase]} within {deadline_s:g} s")
        self.phase = phase


class BadResponse(OutboundError):
    """What came back is not an HTTP answer that we accept."""


class BodyTooLarge(BadResponse):
    """The answer is larger than the caller allows."""


class TlsFailed(OutboundError):
    """No trusted TLS connection came about; there is no fallback to an untrusted one."""


class LocalFault(OutboundError):
    """This machine could not even try (no descriptors, no route at all): never to be held against the other side."""
