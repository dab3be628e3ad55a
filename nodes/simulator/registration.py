"""A simulated fleet as nodes of the console's registry."""

from __future__ import annotations

from typing import Any

import yaml

from core.access.principals import Principal
from nodes.models import Node
from nodes.services import create_node, delete_node, update_node
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
    """Bring the registry in line with the fleet: create, update, and delete simulated nodes of an earlier one."""
    known = {node.node_id: node.overrides for node in Node.objects.active()}
    for node in fleet.nodes:
        entry = registry_entry(node)
        before = known.pop(node.node_id, None)
        if before is None:
            create_node({"node_id": node.node_id, **entry}, actor)
            continue
        changes = {**dict.fromkeys(_EVERY_ADDRESS), **entry}
        if any(before.get(name) != value for name, value in changes.items()):
            update_node(node.node_id, changes, actor)
    for node_id, overrides in known.items():
        if TAG in overrides.get("tags", []):
            delete_node(node_id, actor)
