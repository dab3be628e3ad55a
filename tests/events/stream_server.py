"""A process that serves the streams: `python -m tests.events.stream_server PORT`."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")

import django

django.setup()

import uvicorn  # noqa: E402

from events.consumers import EventStreamConsumer  # noqa: E402

uvicorn.run(
    EventStreamConsumer(),
    host="127.0.0.1",
    port=int(sys.argv[1]),
    lifespan="off",
    log_level="warning",
)
