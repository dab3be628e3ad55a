"""Wiring only: settings, URLs, the ASGI application and the server command."""

VERSION = "0.3.0"
SERVICE = "sofiia-console"
