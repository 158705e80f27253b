"""Overrides come apart as they were joined."""

from __future__ import annotations

import doctest

import pytest

from runner.tracking import overrides
from runner.tracking.overrides import split_overrides


@pytest.mark.parametrize(
    "words",
    [
        ("seed=1", "optimizer.learn_rate={type: warmup_linear, initial_rate: 0.001}", "~corpus.name"),
        ("corpus.partial_labels=[LOC, ORG]", 'tracking.run_name="two words"'),
        (),
    ],
)
def test_they_come_apart_as_they_were_joined(words: tuple[str, ...]) -> None:
    assert split_overrides(" ".join(words)) == words


def test_what_never_ends_is_split_at_its_spaces() -> None:
    assert split_overrides("seed=1 tracking.run_name=it's mine") == ("seed=1", "tracking.run_name=it's", "mine")


def test_docstrings() -> None:
    assert doctest.testmod(overrides).failed == 0
