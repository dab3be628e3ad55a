"""How a mix becomes a cast."""

import random
from collections import Counter

import pytest

from nodes.simulator.characters import DEFAULT_MIX, BadMix, Character, cast, parse_mix


def test_a_mix_is_read_as_shares():
    assert parse_mix("honest=8, hanging=1.5,edge") == {
        Character.HONEST: 8,
        Character.HANGING: 1.5,
        Character.EDGE: 1,
    }


@pytest.mark.parametrize(
    "text",
    ["", "polite=1", "honest=many", "honest=-1,edge=2", "honest=0", "honest=nan", "edge=inf"],
)
def test_a_mix_that_means_nothing_is_refused(text):
    with pytest.raises(BadMix):
        parse_mix(text)


def test_shares_are_kept_to_the_node():
    characters = cast(200, parse_mix("honest=9,hanging=1"), random.Random(1))

    assert Counter(characters) == {Character.HONEST: 180, Character.HANGING: 20}


@pytest.mark.parametrize("count", [1, 5, 12, 13, 199])
def test_every_count_is_met_exactly(count):
    assert len(cast(count, parse_mix(DEFAULT_MIX), random.Random(1))) == count


def test_twelve_nodes_of_the_default_mix_show_every_character():
    assert set(cast(12, parse_mix(DEFAULT_MIX), random.Random(1))) == set(Character)


def test_the_same_seed_gives_the_same_order():
    mix = parse_mix(DEFAULT_MIX)

    assert cast(40, mix, random.Random(7)) == cast(40, mix, random.Random(7))
