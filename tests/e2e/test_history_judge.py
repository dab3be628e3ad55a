"""The judge of the kill test finds the mistakes that are planted in a history."""

import pytest

from tests.harness.history import faults

WRITTEN = [3, 4, 6, 9]


@pytest.mark.parametrize("read", [[3, 4, 6, 9], [3, 4, 5, 6, 9, 10]])
def test_a_right_history_has_no_faults(read):
    assert faults(WRITTEN, read) == []


@pytest.mark.parametrize(
    ("read", "word"),
    [
        ([3, 4, 9], "lost: [6]"),
        ([], "lost: [3, 4, 6, 9]"),
        ([3, 4, 4, 6, 9], "doubled: [4]"),
        ([3, 6, 4, 9], "out of order: [(6, 4)]"),
        ([3, 4, 6, 9, 3], "doubled: [3]"),
    ],
)
def test_a_planted_mistake_is_found(read, word):
    assert word in faults(WRITTEN, read)
