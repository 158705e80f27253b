"""How a run chooses the numbers that its config leaves open (config/auto.py): by the advice of its components.

Components that train together share batches, rate and epochs: the smallest batch, the lowest rate and the most epochs that
one of them advises. Each has its own dropout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.blocks import resolve
from runner.components.advice import Advice, Size
from runner.components.base import Component
from runner.config.auto import NOMINAL, Chosen, is_left_open
from runner.config.schema import RunConfig
from runner.corpus.batching import Batcher, shuffled

Ints = NDArray[np.integer[Any]]
MOST_COUNTED = 200_000  # examples whose batches are counted; from there on an epoch counts as the last one before


def chosen(config: RunConfig, components: Mapping[str, Component], n_words: Ints) -> Chosen:
    """The numbers for these components and data. n_words: (n_examples,), words in each training example."""
    size = Size(len(n_words), int(n_words.sum()))
    advice = {name: component.advice(size) for name, component in components.items() if component.has_weights}
    if not advice:  # nothing learns, which the run refuses with its own message
        return NOMINAL
    every: Sequence[Advice] = list(advice.values())
    first = every[0]
    batch_words = min(one.batch_words for one in every)
    max_epochs = config.training.max_epochs or max(one.epochs for one in every)
    dropout = {"": first.dropout, **{name: one.dropout for name, one in advice.items()}}
    draft = Chosen(
        max_epochs=max_epochs,
        batch_words=batch_words,
        batch_examples=max(round(batch_words / max(size.words_each, 1)), 1),
        learn_rate=min(one.learn_rate for one in every),
        dropout=dropout,
        shape=shapes(advice, is_shared=config.pipeline.shared_tok2vec),
        max_order={name: one.max_order for name, one in advice.items()},
    )
    batcher = resolve(draft.in_batch(config.batch), "batchers", "batch")
    updates = count_updates(batcher, n_words, config.seed, max_epochs, config.training.max_steps)
    return Chosen(**{**vars(draft), "updates": updates})


def shapes(advice: Mapping[str, Advice], *, is_shared: bool) -> dict[str, tuple[int, int]]:
    """(width, depth) of token vectors by component; where all share them, the largest that one of them advises."""
    own = {name: (one.width, one.depth) for name, one in advice.items()}
    largest = max(shape[0] for shape in own.values()), max(shape[1] for shape in own.values())
    return {"": largest} if is_shared else {"": largest, **own}


def count_updates(batcher: Batcher, n_words: Ints, seed: int, epochs: int, max_steps: int | None) -> int:
    """Updates of a whole training; exact up to MOST_COUNTED examples."""
    step = last = seen = 0
    for epoch in range(1, epochs + 1):
        if seen <= MOST_COUNTED:
            last = sum(1 for _ in batcher(shuffled(len(n_words), (seed, epoch)), n_words, step))
            seen += len(n_words)
        step += last
        if max_steps is not None and step >= max_steps:
            return max_steps
    return max(step, 1)


def told(config: RunConfig, numbers: Chosen, n_words: Ints) -> dict[str, str]:
    """What was chosen, by the key that left it open, in words; "corpus.train" has what the rules looked at."""
    lines = {}
    if config.training.max_epochs is None:
        lines["training.max_epochs"] = f"{numbers.max_epochs} ({numbers.updates:,} updates)"
    if is_left_open(config.batch):
        is_words = config.batch["type"] == "by_words"
        lines["batch"] = f"{numbers.batch_words:,} words" if is_words else f"{numbers.batch_examples:,} texts"
    if is_left_open(config.optimizer):
        rate = numbers.in_optimizer(config.optimizer)["learn_rate"]
        if isinstance(rate, Mapping):
            largest = rate.get("initial_rate")
            lines["optimizer.learn_rate"] = (
                f"up to {largest:g}, down to 0" if largest else f"{rate['type']} over the training"
            )
    parts = [(name, block) for name, block in config.pipeline.components.items() if is_left_open(block.get("tok2vec"))]
    for name, block in parts:
        made = numbers.in_tok2vec(block["tok2vec"], name)
        key = f"pipeline.components.{name}.tok2vec" if len(parts) > 1 else "tok2vec"
        lines[key] = f"width {made.get('width')}, depth {made.get('depth')}"
    for name, block in config.pipeline.components.items():
        if is_left_open(block.get("architecture")):
            n = numbers.max_order.get(name, 2)
            lines[f"pipeline.components.{name}.architecture"] = (
                "single words" if n == 1 else f"n-grams of 1 to {n} words"
            )
    if is_left_open(config.dropout):
        rates = {name: numbers.in_dropout(config.dropout, name) for name in numbers.dropout}
        if len(rates) > 2:  # several components, each with its own
            del rates[""]
            lines["dropout"] = ", ".join(f"{_fall(block)} ({name})" for name, block in rates.items())
        else:
            lines["dropout"] = _fall(rates[""])
    if config.teacher.has_beliefs and is_left_open(config.teacher.weight):
        lines["teacher.weight"] = _fall(numbers.in_weight(config.teacher.weight))
    if not lines:
        return {}
    return {"corpus.train": f"{len(n_words):,} texts of {n_words.sum() / max(len(n_words), 1):.0f} words", **lines}


def _fall(block: Mapping[str, Any]) -> str:
    """The first and the last value of a schedule.

    >>> _fall({"start": 0.35, "stop": 0.15, "steps": 100}), _fall({"start": 0.2, "stop": 0.2, "steps": 100})
    ('0.35 → 0.15', '0.2')
    """
    rates = [f"{block[key]:g}" for key in ("start", "stop") if isinstance(block.get(key), int | float)]
    return " → ".join(dict.fromkeys(rates)) or "its own schedule"
