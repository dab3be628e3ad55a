"""The fleet as Prometheus' `http_sd` wants it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from core.outbound import urls
from nodes.queries import NodeView

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  compared, not bound


def target_groups(views: Iterable[NodeView]) -> list[dict[str, Any]]:
    """One group per node that has an address: host and port of what is probed, labels under `__meta_sofiia_`."""
    groups = []
    for view in sorted(views, key=lambda view: view.node.node_id):
        target = own_authority() if view.node.is_self else _authority(view.node.probe_url)
        if target:
            groups.append({"targets": [target], "labels": _labels(view)})
    return groups


def own_authority() -> str:
    """Where this console is to be reached, as far as its own settings tell."""
    environment = settings.ENVIRONMENT
    host = _UNSPECIFIED.get(environment.bind_host, environment.bind_host)
    return _joined(host, environment.port)


def _authority(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        target = urls.parse(url)
    except urls.UrlRefused:
        return None
    return _joined(target.host, target.port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _labels(view: NodeView) -> dict[str, str]:
    node = view.node
    return {
        "__meta_sofiia_node_id": node.node_id,
        "__meta_sofiia_label": node.label,
        "__meta_sofiia_role": node.role,
        "__meta_sofiia_env": node.env,
        "__meta_sofiia_status": "paused" if view.paused else view.status,
    }
