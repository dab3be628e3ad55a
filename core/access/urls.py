"""Pages of access, under /ui/."""

from django.urls import path

from core.access import views

urlpatterns = [
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
    path("welcome/<str:token>", views.welcome, name="welcome"),
    path("settings", views.settings_page, name="settings"),
    path("settings/password", views.change_password, name="settings-password"),
    path("settings/keys", views.create_key, name="settings-keys"),
    path("settings/keys/<str:key_id>/revoke", views.revoke_key, name="settings-key-revoke"),
]
