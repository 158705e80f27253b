"""Numbers that a config leaves to the run: the word `auto` stands in their place.

    batch:      {type: by_words, size: auto}
    dropout:    {type: linear, start: auto, stop: auto, steps: auto}
    learn_rate: auto          or {type: warmup_linear, initial_rate: 0.004, warmup_steps: auto, total_steps: auto}

A run chooses them by its data and components (training/chosen.py); `training.max_epochs: null` is chosen with them. A
schedule whose length is `auto` goes over all updates of the training, so that a fraction of it means the same on any data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AUTO = "auto"
WARMUP = 20  # one update in so many belongs to the warm-up


@dataclass(frozen=True)
class Chosen:
    """The numbers of one run.

    updates: of the weights, in the whole training. batch_words, batch_examples: of one update, the same size in two units.
    learn_rate: the largest. dropout: (first, last) rate by component; the name "" has the run's. shape: (width, depth) of
    the token vectors by component; the name "" has those that components share. max_order: words of the longest n-gram, by
    component.
    """

    max_epochs: int = 10
    updates: int = 1000
    batch_words: int = 100
    batch_examples: int = 4
    learn_rate: float = 0.001
    dropout: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"": (0.2, 0.2)})
    shape: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"": (96, 4)})
    max_order: Mapping[str, int] = field(default_factory=dict)

    def in_optimizer(self, block: Any) -> Any:
        """The optimizer's block, filled in. A learning rate that is `auto` as a whole warms up, and ends at 0."""
        if isinstance(block, Mapping) and block.get("learn_rate") == AUTO:
            rate = {"type": "warmup_linear", "initial_rate": AUTO, "warmup_steps": AUTO, "total_steps": AUTO}
            block = {**block, "learn_rate": rate}
        rates = {"learn_rate": self.learn_rate, "initial_rate": self.learn_rate, "value": self.learn_rate}
        filled = _filled(block, {**self._lengths, **rates, "start": self.learn_rate, "stop": 0.0})
        if isinstance(block, Mapping) and "rates" in block:  # factors, of which only the lengths are known
            filled["rates"] = _filled(block["rates"], self._lengths)
        return filled

    def in_batch(self, block: Any) -> Any:
        """The batcher's block, filled in. Sizes count words or examples, as its type says."""
        size = (
            self.batch_words if isinstance(block, Mapping) and block.get("type") == "by_words" else self.batch_examples
        )
        return _filled(block, {**self._lengths, "size": size, "stop": size, "value": size})

    def in_dropout(self, block: Any, component: str = "") -> Any:
        """The block of a dropout schedule, filled in with the rates of that component."""
        start, stop = self.dropout.get(component, self.dropout[""])
        if isinstance(block, Mapping) and isinstance(given := block.get("start"), int | float):
            stop = min(given, stop)  # a rate that someone lowers does not rise again
        return _filled(block, {**self._lengths, "start": start, "stop": stop, "value": start})

    def in_weight(self, block: Any) -> Any:
        """The block of the schedule of a teacher's weight, filled in with the length of the training."""
        return _filled(block, self._lengths)

    def in_component(self, block: Any, name: str) -> Any:
        """The component's block; token vectors, architecture and its own dropout are filled in, where it has them."""
        if not isinstance(block, Mapping):
            return block
        block = dict(block)
        if "tok2vec" in block:
            block["tok2vec"] = self.in_tok2vec(block["tok2vec"], name)
        if "architecture" in block:
            block["architecture"] = _filled(block["architecture"], {"max_order": self.max_order.get(name, 2)})
        if "dropout" in block:
            block["dropout"] = self.in_dropout(block["dropout"], name)
        return block

    def in_tok2vec(self, block: Any, component: str = "") -> Any:
        """The block of token vectors, filled in with the width and depth for that component."""
        width, depth = self.shape.get(component, self.shape[""])
        return _filled(block, {"width": width, "depth": depth})

    @property
    def _lengths(self) -> dict[str, int]:
        """Of schedules, in updates."""
        return {"steps": self.updates, "total_steps": self.updates + 1, "warmup_steps": self.updates // WARMUP}


NOMINAL = Chosen()  # any numbers that go together, to check a config before its data is read


def _filled(block: Any, values: Mapping[str, Any]) -> Any:
    """A copy of the block, in which values that are `auto` are those of their keys; unknown keys keep the word."""
    if not isinstance(block, Mapping):
        return block
    return {
        key: values.get(key, value) if isinstance(value, str) and value == AUTO else _filled(value, values)
        for key, value in block.items()
    }


def is_left_open(block: Any) -> bool:
    """Whether a value anywhere in the block is `auto`."""
    if isinstance(block, Mapping):
        return any(map(is_left_open, block.values()))
    return isinstance(block, str) and block == AUTO
