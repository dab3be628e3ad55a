"""Django's admin under the console's own admin site."""

from django.contrib.admin.apps import AdminConfig


class SofiiaAdminConfig(AdminConfig):
    """Django's admin with the console's name and login page."""

    default = True
    default_site = "sofiia_site.admin_site.SofiiaAdminSite"
