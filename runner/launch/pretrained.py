"""The token vectors that a run starts from (`init.tok2vec`): weights and known words of a trained model's tok2vec.

Each component that has learned nothing yet starts from the tok2vec of the component of its name in the model; where the model has
none of that name, from the first one that has a tok2vec. Heads start from initial weights.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from runner import registry
from runner.components.pipeline import Pipeline, load
from runner.config.auto import Chosen
from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.tracking.initial import Initial, initial_model

KEY = "init.tok2vec"
_MAY_DIFFER = ("word_dropout", "dropout")  # settings of a tok2vec that its weights do not depend on
_ANOTHER = "Leave it as it is there, or pretrain with this setting."


class Pretrained(NamedTuple):
    """The model of `init.tok2vec`. blocks: of the tok2vec of each of its components that has one."""

    initial: Initial
    nlp: Pipeline
    blocks: Mapping[str, Mapping[str, Any]]

    def source_of(self, name: str) -> str:
        """The model's component whose tok2vec a component of that name starts from."""
        return name if name in self.blocks else next(iter(self.blocks))


def pretrained(config: RunConfig) -> Pretrained | None:
    """The model of `init.tok2vec`; None if there is none. Raises RunnerError if it cannot be found, or has no tok2vec."""
    if config.init.tok2vec is None:
        return None
    initial = initial_model(config.init.tok2vec, config.tracking.get("uri"), KEY)
    nlp = _loaded(initial.source.folder, initial.digest, tuple(config.code), config.compute.ops, config.compute.threads)
    blocks = {name: nlp.blocks[name]["tok2vec"] for name in nlp.components if _reads_tokens(nlp, name)}
    if not blocks:
        hint = "Name a model that has some: python -m runner pretrain TEXTS makes one."
        raise RunnerError("no component of this model has token vectors", place=KEY, hint=hint)
    return Pretrained(initial, nlp, blocks)


def pretrained_tags(config: RunConfig) -> dict[str, str]:
    """What a run's trackers are told of the model of `init.tok2vec`."""
    assert config.init.tok2vec is not None
    return initial_model(config.init.tok2vec, config.tracking.get("uri"), KEY).tags(KEY)


@lru_cache(maxsize=1)
def _loaded(folder: Path, digest: str, code: tuple[str, ...], ops: str, threads: int | None) -> Pipeline:
    """digest: the folder of another model has another one."""
    return load(folder, code, ops, threads)


def shaped(config: RunConfig, numbers: Chosen) -> Chosen:
    """The numbers with the pretrained width and depth, for token vectors whose width and depth are left open."""
    found = pretrained(config)
    if found is None:
        return numbers
    shapes = {}
    for name in ("", *config.pipeline.components):
        block = _whole(found.blocks[found.source_of(name)])
        if isinstance(block.get("width"), int) and isinstance(block.get("depth"), int):
            shapes[name] = block["width"], block["depth"]
    return dataclasses.replace(numbers, shape={**numbers.shape, **shapes})


def check_pretrained(config: RunConfig, pipeline: Pipeline) -> None:
    """Raise RunnerError if the pretrained token vectors fit no component, or have other settings than one that needs them.

    pipeline: the run's, not initialized.
    """
    found = pretrained(config)
    if found is None:
        return
    names = _starting(pipeline)
    if not names:
        fact = "no component starts from token vectors: each has learned already, or has none"
        raise RunnerError(fact, place=KEY, hint="Leave init.tok2vec out; init.model brings token vectors of its own.")
    for name in names:
        ours, theirs = _whole(pipeline.blocks[name]["tok2vec"]), _whole(found.blocks[found.source_of(name)])
        for key in dict.fromkeys((*theirs, *ours)):
            mine, there = ours.get(key), theirs.get(key)
            if mine != there and key not in _MAY_DIFFER and not (key == "vectors" and there is None):
                fact = f"{key} of the token vectors of {name!r} is {_short(mine)}; it is {_short(there)} in the pretrained model"
                raise RunnerError(fact, place=f"tok2vec.{key}", hint=_ANOTHER)


def start_from_pretrained(config: RunConfig, pipeline: Pipeline) -> dict[str, Any] | None:
    """Give an initialized pipeline the pretrained weights and words, and print how many. Returns what summary.json tells."""
    found = pretrained(config)
    if found is None:
        return None
    names = _starting(pipeline)
    source = found.nlp
    given = total = 0
    for name in names[:1] if pipeline.shared_tok2vec else names:
        theirs = found.source_of(name)
        values = source.network.tok2vec_values(theirs)
        for path, own in pipeline.network.tok2vec_values(name).items():
            total += own.size
            if path in values and values[path].shape == own.shape:
                own[...] = values[path]
                given += own.size
    counts = {name: source.network.words.of(found.source_of(name)) for name in names}
    pipeline.network.words.add(counts, [name for name in pipeline.components if _reads_tokens(pipeline, name)])
    n_words = max(len(one) for one in counts.values())
    model = found.initial.source.name
    print(
        f"token vectors start from {model}: {given:,} of {total:,} weights loaded, {n_words:,} words known from there",
        flush=True,
    )
    return {
        "model": model,
        "weights_sha256": found.initial.weights_sha256,
        "components": names,
        "loaded": given,
        "weights": total,
        "words": n_words,
    }


def _starting(pipeline: Pipeline) -> list[str]:
    """The components whose tok2vec starts from pretrained weights."""
    learned = pipeline.parameters.learned
    names = [name for name in pipeline.pipe_names if _reads_tokens(pipeline, name)]
    if pipeline.shared_tok2vec and any(name in learned for name in names):
        return []
    return [name for name in names if name not in learned]


def _reads_tokens(pipeline: Pipeline, name: str) -> bool:
    """Whether a component has token vectors: a classifier of n-grams has none, whatever its block says."""
    return pipeline.components[name].build_tok2vec is not None


def _whole(block: Mapping[str, Any]) -> dict[str, Any]:
    """The block of a tok2vec with the defaults of what it leaves out. A nested block without a type counts as None."""
    made = registry.tok2vecs.get(str(block.get("type")))
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(made).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {key: _plain(value) for key, value in {**defaults, **block}.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()} if value.get("type", "") is not None else None
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
