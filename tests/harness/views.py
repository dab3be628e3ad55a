"""What a console says of its nodes, as a test wants to read it."""

from __future__ import annotations

from typing import Any

from tests.harness.console import ConsoleProcess


def node(console: ConsoleProcess, node_id: str) -> dict[str, Any]:
    """One node as the API gives it."""
    response = console.get(f"/api/nodes/{node_id}")
    response.raise_for_status()
    return dict(response.json())


def nodes(console: ConsoleProcess) -> dict[str, dict[str, Any]]:
    """Every node of the fleet by id, over all pages."""
    found: dict[str, dict[str, Any]] = {}
    after = ""
    while True:
        response = console.get(
            "/api/nodes", params={"limit": 500, **({"after": after} if after else {})}
        )
        response.raise_for_status()
        page = response.json()
        found |= {item["node_id"]: item for item in page["items"]}
        if page["next"] is None:
            return found
        after = str(page["next"])
