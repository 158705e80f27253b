"""`auto` in a config: which number takes its place, worked by hand."""

from __future__ import annotations

import pytest

from runner.config.auto import NOMINAL, Chosen, is_left_open

CHOSEN = Chosen(
    max_epochs=15, updates=1000, batch_words=60, batch_examples=5, learn_rate=0.002,
    dropout={"": (0.3, 0.1), "parser": (0.2, 0.2)},
)  # fmt: skip


def test_a_rate_that_is_left_open_as_a_whole_warms_up_and_ends_at_0():
    assert CHOSEN.in_optimizer({"type": "adam", "learn_rate": "auto", "L2": 1e-6}) == {
        "type": "adam",
        "learn_rate": {"type": "warmup_linear", "initial_rate": 0.002, "warmup_steps": 50, "total_steps": 1001},
        "L2": 1e-6,
    }


def test_a_part_that_is_given_stays():
    rate = {"type": "warmup_linear", "initial_rate": 0.01, "warmup_steps": 7, "total_steps": "auto"}
    filled = CHOSEN.in_optimizer({"type": "adam", "learn_rate": rate})
    assert filled["learn_rate"] == {**rate, "total_steps": 1001}


@pytest.mark.parametrize(("kind", "size"), [("by_words", 60), ("by_sentences", 5)])
def test_the_size_of_a_batch_counts_what_its_batcher_counts(kind, size):
    assert CHOSEN.in_batch({"type": kind, "size": "auto"}) == {"type": kind, "size": size}


def test_dropout_goes_over_the_whole_training():
    block = {"type": "linear", "start": "auto", "stop": "auto", "steps": "auto"}
    assert CHOSEN.in_dropout(block) == {"type": "linear", "start": 0.3, "stop": 0.1, "steps": 1000}
    assert CHOSEN.in_dropout(block, "parser") == {"type": "linear", "start": 0.2, "stop": 0.2, "steps": 1000}
    assert CHOSEN.in_dropout(0.5) == 0.5


def test_dropout_that_someone_lowers_does_not_rise_again():
    block = {"type": "linear", "start": 0.05, "stop": "auto", "steps": "auto"}
    assert CHOSEN.in_dropout(block)["stop"] == 0.05
    assert CHOSEN.in_dropout({**block, "start": 0.6})["stop"] == 0.1


def test_blocks_are_copied_and_other_words_stay():
    block = {"type": "adam", "learn_rate": "auto", "note": "auto"}
    CHOSEN.in_optimizer(block)
    assert block == {"type": "adam", "learn_rate": "auto", "note": "auto"}
    assert CHOSEN.in_optimizer(block)["note"] == "auto", "the optimizer refuses it, with its own message"


def test_what_is_left_open_is_found_at_any_depth():
    assert is_left_open({"a": {"b": "auto"}})
    assert not is_left_open({"a": {"b": 3}, "type": "linear"})


def test_a_config_can_be_checked_before_its_data_is_read():
    assert NOMINAL.in_batch({"type": "by_words", "size": "auto"})["size"] > 0
