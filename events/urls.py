"""Pages about events, under /ui/."""

from django.urls import path

from events import views

urlpatterns = [path("events", views.log, name="events")]
