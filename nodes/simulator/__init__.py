"""A fleet that does not exist: real HTTP nodes on loopback, each with a character.

Only `registration` and `run` know of the console, so that a test or a demonstration sees what a real node would show.
"""

from nodes.simulator.characters import Character, parse_mix
from nodes.simulator.fleet import Fleet
from nodes.simulator.node import SimulatedNode
from nodes.simulator.run import run_fleet

__all__ = ["Character", "Fleet", "SimulatedNode", "parse_mix", "run_fleet"]
