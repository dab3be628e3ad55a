"""Who a simulated node can be, and how many of each a fleet has."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum


class Character(StrEnum):
    """How a node behaves. The first five are well; what differs is the address under which they say so."""

    HONEST = "honest"  # /monitor/status as in the runbook
    EDGE = "edge"  # an edge backend: /healthz only
    ROUTER = "router"  # services/router: /health only
    GATEWAY = "gateway"  # the bot gateway: /health without a service name
    DAGI = "dagi"  # a DAGI router: /health and /info
    FLAPPING = "flapping"  # honest, but goes away and comes back
    SLOW = "slow"  # honest, but answers shortly before the time-out
    HANGING = "hanging"  # accepts and never answers
    HOSTILE = "hostile"  # a different attack with every request


#: Twelve nodes that show everything a console has to cope with.
DEFAULT_MIX = "honest=4,edge=1,router=1,gateway=1,dagi=1,flapping=1,slow=1,hanging=1,hostile=1"

Mix = Mapping[Character, float]


class BadMix(ValueError):
    """The mix is not of the form honest=8,hanging=1; the message says which part is wrong."""


def parse_mix(text: str) -> dict[Character, float]:
    """`honest=8,hanging=1` as shares. Raises BadMix."""
    mix: dict[Character, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, share = part.partition("=")
        if name not in Character.__members__.values():
            raise BadMix(f"unknown character {name!r}; known: {', '.join(Character)}")
        try:
            mix[Character(name)] = float(share or 1)
        except ValueError as exc:
            raise BadMix(f"the share of {name} is not a number: {share!r}") from exc
    if not mix or min(mix.values()) < 0 or not 0 < sum(mix.values()) < float("inf"):
        raise BadMix("the shares have to be positive numbers")
    return mix


def cast(count: int, mix: Mix, rng: random.Random) -> list[Character]:
    """`count` characters in the shares of `mix` (largest remainder), in an order that `rng` decides."""
    total = sum(mix.values())
    exact = {character: count * share / total for character, share in mix.items()}
    whole = {character: int(wanted) for character, wanted in exact.items()}
    by_remainder = sorted(exact, key=lambda character: whole[character] - exact[character])
    for character in by_remainder[: count - sum(whole.values())]:
        whole[character] += 1
    characters = [character for character in mix for _ in range(whole[character])]
    rng.shuffle(characters)
    return characters
