"""Pages about nodes, under /ui/."""

from django.urls import path

from nodes import views

urlpatterns = [
    path("", views.wall, name="wall"),
    # Not below nodes/: a node may be called "tiles".
    path("wall/tiles", views.tiles, name="wall-tiles"),
    path("wall/index.json", views.index, name="wall-index"),
    path("nodes/<str:node_id>", views.node, name="node"),
    path("nodes/<str:node_id>/probe", views.probe, name="node-probe"),
    path("nodes/<str:node_id>/pause", views.pause, name="node-pause"),
    path("nodes/<str:node_id>/resume", views.resume, name="node-resume"),
    path("nodes/<str:node_id>/maintenance", views.maintenance, name="node-maintenance"),
]
