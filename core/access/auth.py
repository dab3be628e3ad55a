"""`auth=needs("ops")` on an API operation."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security.base import AuthBase

from core.access.authenticate import authenticate_request
from core.access.principals import Principal, Right, unauthenticated


class Bearer(AuthBase):
    """Lets the call through when the caller holds the right; it then finds `request.principal` (and `request.auth`)."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, right: Right | None, *, credentials: bool = False) -> None:
        super().__init__()
        self.right = right
        self.credentials = credentials

    def __call__(self, request: HttpRequest) -> Principal:
        """Raises Problem 401 or 403; the middleware audits it."""
        principal = authenticate_request(request)
        if self.credentials and principal.kind == "anonymous":
            raise unauthenticated()
        if self.right is not None:
            principal.require(self.right)
        elif principal.kind == "anonymous" and not principal.rights:
            raise unauthenticated()
        request.principal = principal  # type: ignore[attr-defined]
        return principal


def needs(right: Right | str | None, *, credentials: bool = False) -> Bearer:
    """What an operation needs: a right (None: to be somebody), and with `credentials` nobody anonymous, in dev neither."""
    return Bearer(None if right is None else Right(right), credentials=credentials)
