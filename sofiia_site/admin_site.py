"""Django's admin, dressed as part of the console. People come in and go out by the console's own doors."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from core.access import sessions
from core.outbound.guard import get_guard
from sofiia_site.clients import is_within


class SofiiaAdminSite(AdminSite):
    """Open to the role admin only.

    Login, logout and password change of Django's own would pass by the throttle and the audit.
    """

    site_header = "Sofiia"
    site_title = "Sofiia admin"
    index_title = "Administration"
    site_url = "/ui/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Active users with the role admin, from where the network policy lets them."""
        admits = get_guard().allowlist.ingress.admin
        is_admin = request.user.is_active and getattr(request.user, "is_staff", False)
        return bool(is_admin and is_within(request.META["REMOTE_ADDR"], admits))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The console's login page, which leads back here."""
        target = sessions.safe_next(request.GET.get("next"), "/admin/")
        return redirect(f"/ui/login?next={quote(target)}")

    @method_decorator(require_POST)
    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """The console's logout."""
        sessions.logout(request)
        return redirect("/ui/login")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """The console's settings page."""
        return redirect("/ui/settings")
