"""The ASGI application: edge, then WebSocket and streams, then Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")

import django

django.setup()

from sofiia_site.environment import refuse_if_unsafe  # noqa: E402
from sofiia_site.routing import application as application  # noqa: E402

refuse_if_unsafe()
