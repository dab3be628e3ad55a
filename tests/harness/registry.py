"""Configuration directories for consoles under test."""

from __future__ import annotations

import shutil
from pathlib import Path

from nodes.simulator import Fleet
from nodes.simulator.registration import registry_yaml
from tests.harness.console import CHECKOUT


def config_of(fleet: Fleet, directory: Path) -> Path:
    """A copy of the shipped configuration whose registry is the fleet; the directory."""
    shutil.copytree(CHECKOUT / "config", directory, dirs_exist_ok=True)
    (directory / "nodes_registry.yml").write_text(registry_yaml(fleet))
    return directory
