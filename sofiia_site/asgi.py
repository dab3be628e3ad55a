"""The ASGI application: edge, then WebSocket and streams, then Django."""

import os
import warnings

# Static files are small and read whole; Django warns about each because whitenoise opens them as plain files.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")

import django  # noqa: E402

django.setup()

from sofiia_site.environment import refuse_if_unsafe  # noqa: E402
from sofiia_site.routing import application as application  # noqa: E402

refuse_if_unsafe()
