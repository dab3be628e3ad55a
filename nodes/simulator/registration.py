"""A simulated fleet as nodes of the console's registry."""

from __future__ import annotations

from typing import Any

import yaml

from core.access.principals import Principal
from nodes.models import Node
from nodes.services import delete_node, import_nodes
from nodes.simulator.characters import Character
from nodes.simulator.fleet import Fleet
from nodes.simulator.node import SimulatedNode

TAG = "simulated"
#: Which addresses a node has; one that is not here answers for everything.
_ADDRESSES = {
    Character.EDGE: ("monitor_url",),
    Character.ROUTER: ("router_url",),
    Character.DAGI: ("router_url",),
    Character.GATEWAY: ("gateway_url",),
}
_EVERY_ADDRESS = ("monitor_url", "router_url", "gateway_url")


def registry_entry(node: SimulatedNode) -> dict[str, Any]:
    """The fields of one node, as the registry file and the API take them."""
    addresses = _ADDRESSES.get(node.character, _EVERY_ADDRESS)
    return {
        "label": f"Simulated {node.character} {node.node_id.rpartition('-')[2]}",
        "role": "edge" if node.character is Character.EDGE else "runtime",
        "env": "dev",
        "tags": [TAG, str(node.character)],
        "labels": {"character": str(node.character)},
        **dict.fromkeys(addresses, node.url),
    }


def registry_yaml(fleet: Fleet) -> str:
    """The fleet as a file for `CONFIG_DIR`."""
    nodes = {node.node_id: registry_entry(node) for node in fleet.nodes}
    return yaml.safe_dump({"nodes": nodes}, sort_keys=False)


def register(fleet: Fleet, actor: Principal) -> None:
    """Bring the registry in line with the fleet; simulated nodes of an earlier one are deleted."""
    entries = [{"node_id": node.node_id, **registry_entry(node)} for node in fleet.nodes]
    import_nodes(entries, actor)
    present = [node.node_id for node in fleet.nodes]
    for node in Node.objects.active().filter(declared__isnull=True).exclude(node_id__in=present):
        if TAG in node.overrides.get("tags", []):
            delete_node(node.node_id, actor)
