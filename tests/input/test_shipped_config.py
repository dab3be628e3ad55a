"""Every file in config/ loads as the policy that it is for, and says what the runbook says."""

from pathlib import Path

import pytest
from django.conf import settings
from pydantic import BaseModel

from core.outbound.policy import NetworkAllowlist
from core.policies.loader import load_policy, parse_policy
from nodes.policy import NodesRegistry, load_registry

CONFIG = Path(settings.BASE_DIR) / "config"
MODELS: dict[str, type[BaseModel]] = {
    "nodes_registry.yml": NodesRegistry,
    "network_allowlist.yml": NetworkAllowlist,
}


def test_every_file_has_its_model() -> None:
    assert {path.name for path in CONFIG.iterdir()} == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_the_file_loads(name: str) -> None:
    assert load_policy(CONFIG / name, MODELS[name]).digest


def test_every_field_of_the_registry_is_described() -> None:
    schema = NodesRegistry.model_json_schema()

    for model in (schema, *schema["$defs"].values()):
        for name, shape in model["properties"].items():
            assert "description" in shape or "$ref" in shape, name


def test_a_fresh_console_shows_itself_and_calls_nobody_else() -> None:
    nodes = load_registry().value.nodes

    assert list(nodes) == ["NODA1", "NODA2"]
    assert nodes["NODA2"].monitor_url == "self"
    assert nodes["NODA1"].router_url == "http://127.0.0.1:9102"
    assert nodes["NODA1"].gateway_url == "http://127.0.0.1:9300"


def test_the_examples_in_the_comments_are_valid() -> None:
    """What is commented out must work when an operator takes the marks away."""
    text = (CONFIG / "nodes_registry.yml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("# ") or _is_example(line)]
    shown = "\n".join(_uncommented(line) for line in lines)

    registry = parse_policy(shown.encode(), Path("shown.yml"), NodesRegistry).value

    assert registry.nodes["EDGE-1"].require is not None
    assert registry.defaults.timeout == 3.0
    assert len(registry.witnesses) == 2


def _is_example(line: str) -> bool:
    return line.startswith(("# defaults:", "# witnesses:", "# version:", "# meta:"))


def _uncommented(line: str) -> str:
    if _is_example(line):
        return line.removeprefix("# ")
    if line.startswith(("  #   ", "  # EDGE-1:")):
        return "  " + line.removeprefix("  # ")
    return line
