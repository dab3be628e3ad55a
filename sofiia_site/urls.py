"""Every address of the console."""

from django.contrib import admin
from django.urls import include, path

from sofiia_site import views
from sofiia_site.api import api

urlpatterns = [
    path("", views.home),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.metrics_text),
    path("monitor/status", views.monitor_status),
    path("api/openapi.json", views.openapi, name="openapi"),
    path("api/docs", views.api_docs, name="api-docs"),
    path("api/", api.urls),
    path("ui/", include("nodes.urls")),
    path("ui/", include("events.urls")),
    path("ui/", include("core.access.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "core.problems.bad_request"
handler403 = "core.problems.forbidden"
handler404 = "core.problems.not_found"
handler500 = "core.problems.server_error"
