"""The arithmetic of an estimate, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner.corpus.batching import by_sentences
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.training.estimate import _line, estimate
from runner.training.loop import Plan
from runner.training.schedules import delayed


@pytest.mark.parametrize(
    ("words", "seconds", "expected"),
    [
        ([10, 20, 30], [2.0, 3.0, 4.0], (1.0, 0.1)),  # one second a batch, a tenth a word
        ([10, 20], [1.0, 2.0], (0.0, 0.1)),
        ([10, 20], [3.0, 2.0], (2.5, 0.0)),  # longer batches were not slower: the mean
        ([10, 30], [0.5, 3.5], (0.0, 0.11)),  # no batch costs less than nothing
        ([5, 5], [1.0, 3.0], (2.0, 0.0)),
    ],
)
def test_a_straight_line(words, seconds, expected):
    assert _line(np.array(words, dtype="float64"), np.array(seconds)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "epochs_done"), [(1, None, 1.0), (5, None, 5.0), (5, 3, 0.25), (2, 12, 1.0)]
)
def test_updates_and_the_share_of_the_run(max_epochs, max_steps, epochs_done):
    """Twelve updates an epoch; the run is as long as its epochs, or ends at max_steps."""
    docs = [Doc(["Ada", "met", "Lin"], ents=[(0, 1, "PER")]) for _ in range(24)]
    examples = [Example.from_doc(doc) for doc in docs]
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1, "embed_size": 50}})
    sgd = nlp.initialize(lambda: examples)
    plan = Plan(
        by_sentences(lambda step: 2.0), lambda step: 0.1, {"ents_f": 1.0}, max_epochs=max_epochs, max_steps=max_steps
    )
    found = estimate(nlp, examples, examples, plan, sgd)
    assert found.first_epoch_updates == 12
    n_evaluations = max(int(np.ceil(epochs_done)), 1)
    without = found.run_seconds - n_evaluations * found.evaluation_seconds
    assert without == pytest.approx(epochs_done * found.first_epoch_seconds, rel=1e-6)
    assert found.words_per_second == pytest.approx(72 / found.first_epoch_seconds)


def test_weights_that_rest_at_first_are_timed_as_they_will_learn():
    examples = [Example.from_doc(Doc(["Ada", "met", "Lin"], ents=[(0, 1, "PER")])) for _ in range(24)]
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1, "embed_size": 50}})
    sgd = nlp.initialize(lambda: examples)
    sgd.rates = {"tok2vec": delayed(value=0.05, share=0.5, total_steps=1000), "encode1": 0.1}
    assert sgd.resting(nlp.parameters)
    plan = Plan(by_sentences(lambda step: 2.0), lambda step: 0.1, {"ents_f": 1.0}, max_epochs=2)
    before = {path: value.copy() for path, value in nlp.parameters.all_values().items()}
    estimate(nlp, examples, examples, plan, sgd)
    moved = [path for path, value in nlp.parameters.all_values().items() if (value != before[path]).any()]
    assert {path.split("/")[1] for path in moved} >= {"tok2vec"}
