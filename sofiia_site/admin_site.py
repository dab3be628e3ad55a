"""Django's admin, dressed as part of the console."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest


class SofiiaAdminSite(AdminSite):
    """Open to the role admin only."""

    site_header = "Sofiia"
    site_title = "Sofiia admin"
    index_title = "Administration"
    site_url = "/ui/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Active users with the role admin."""
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))
