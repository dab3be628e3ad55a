"""A policy file may break while the console runs; what is in force is the last revision that was valid."""

import os
from pathlib import Path

import pytest

from core.policies.base import Policy
from core.policies.loader import PolicyError, PolicyFile


class Limits(Policy):
    limit: int


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "limits.yml"
    path.write_text("limit: 1\n")
    return path


def test_the_first_load_has_to_be_good(path: Path) -> None:
    path.write_text("limit: x\n")

    with pytest.raises(PolicyError, match=r"limits\.yml:1:8: limit: expected a whole number"):
        PolicyFile(path, Limits)


def test_it_notices_a_change_once(path: Path) -> None:
    file = PolicyFile(path, Limits)
    assert not file.reload()

    path.write_text("limit: 2\n")

    assert file.reload()
    assert file.value.limit == 2
    assert not file.reload()


@pytest.mark.parametrize("broken", ["limit: x\n", "limit: [\n", "limit: &a 1\n", "", "\0", None])
def test_valid_then_broken_then_valid(path: Path, broken: str | None) -> None:
    file = PolicyFile(path, Limits)
    good = file.loaded

    if broken is None:
        os.unlink(path)
    else:
        path.write_text(broken)
    for _ in range(2):
        assert not file.reload()
        assert file.loaded is good
        assert file.fault is not None
        assert str(file.fault).startswith("limits.yml:")

    path.write_text("limit: 3\n")
    assert file.reload()
    assert file.value.limit == 3
    assert file.fault is None


def test_the_old_revision_coming_back_is_no_change(path: Path) -> None:
    file = PolicyFile(path, Limits)
    path.write_text("limit: x\n")
    file.reload()

    path.write_text("limit: 1\n")

    assert not file.reload()
    assert file.fault is None
