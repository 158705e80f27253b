"""`init.model=MODEL` on a command line, or in a preset: the pipeline of the run is the model's.

The model's blocks become a file of the group `pipeline`, so that overrides reach into them as into any other:
`~pipeline.components.ner` leaves a component out, `+pipeline.components.textcat={…}` and `pipeline=textcat` add one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runner import bounded_yaml
from runner.config.auto import AUTO
from runner.errors import RunnerError
from runner.files import read_file

if TYPE_CHECKING:
    from runner.config.schema import RunConfig
    from runner.tracking.initial import Initial

OPTION = "of_init_model"  # of the group pipeline


def with_pipeline_of_model(words: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """The words of a command line, with the pipeline of the model that they start from. Raises RunnerError.

    The model is named by a word, or by a preset of the user's folder.
    """
    named = [word for word in words if word.lstrip("+").startswith("init.model=")]
    reference = _value(named[-1]) if named else _model_of_preset(words, config_dir)
    if reference is None:
        return list(words)
    from runner.tracking.initial import initial_model

    uris = [word for word in words if word.startswith("tracking.uri=")]
    register(initial_model(reference, _value(uris[-1]) if uris else None))
    chosen = [i for i, word in enumerate(words) if word.startswith("pipeline=")]
    if not chosen:
        return [*words, f"pipeline={OPTION}"]
    return [_combined(word) if i in chosen else word for i, word in enumerate(words)]


def _model_of_preset(words: Sequence[str], config_dir: str | Path | None) -> str | None:
    """`init.model` in the file of `experiment=NAME` in the user's folder; None if no such file names a model."""
    presets = [word.partition("=")[2] for word in words if word.lstrip("+").startswith("experiment=")]
    path = Path(config_dir) / "experiment" / f"{presets[-1]}.yaml" if config_dir and presets else None
    if path is None or not path.is_file():
        return None
    try:
        content = bounded_yaml.read(read_file(path))
    except (OSError, yaml.YAMLError):
        return None  # told when the config is composed
    init = content.get("init") if isinstance(content, Mapping) else None
    model = init.get("model") if isinstance(init, Mapping) else None
    if isinstance(model, str) and "${" in model:
        fact = "the model that a run starts from is named by itself, as it decides the pipeline"
        raise RunnerError(fact, place=f"{path}: init.model", hint="Write its folder, or name it on the command line.")
    return model if isinstance(model, str) else None


def register(initial: Initial) -> None:
    """Make the model's pipeline a file of the group."""
    from hydra.core.config_store import ConfigStore

    config = initial.config
    blocks = config.get("components")
    if not isinstance(blocks, Mapping) or not all(isinstance(block, Mapping) for block in blocks.values()):
        raise RunnerError("the model is damaged: it names no components", place="init.model", hint="Train it again.")
    node = {key: config[key] for key in ("lang", "tokenizer", "shared_tok2vec") if key in config}
    ConfigStore.instance().store(
        group="pipeline", name=OPTION, node=_literal({**node, "components": blocks}), provider="runner"
    )


def _combined(word: str) -> str:
    """`pipeline=X` with the model's pipeline beside X; each of several that a multirun takes in turn."""
    names = word.partition("=")[2]
    if names.startswith("["):
        return f"pipeline=[{names.strip('[]')},{OPTION}]"
    return "pipeline=" + ",".join(f"[{name},{OPTION}]" for name in names.split(","))


def _value(word: str) -> str | None:
    """The text that `key=value` gives; None for null. Raises RunnerError for several values."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = OverridesParser.create().parse_override(word)
    if override.is_sweep_override():
        hint = "Give one model; or several multiruns, one for each."
        raise RunnerError("a multirun starts all of its runs from one model", place=word.partition("=")[0], hint=hint)
    value = override.value()
    return None if value is None else str(value)


def _literal(value: Any) -> Any:
    """The value with no `${…}` that OmegaConf would fill in: a model's file is no config of the user's."""
    if isinstance(value, Mapping):
        return {str(key): _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def refuse_old_dev(config: RunConfig) -> None:
    """Raise RunnerError if a run from initial weights has old dev data."""
    if config.corpus.old_dev is not None:
        fact = "there are old dev data, and no model that could forget what they hold"
        raise RunnerError(
            fact, place="corpus.old_dev", hint="Name the model that the run starts from: init.model=MODEL."
        )


def refuse_unused_tok2vec(config: RunConfig, known: Collection[str]) -> None:
    """Raise RunnerError if the command line sets a tok2vec that no component takes: all bring a trained one along.

    known: names of the model's components.
    """
    blocks = {name: block["tok2vec"] for name, block in config.pipeline.components.items() if "tok2vec" in block}
    words = [word.lstrip("+") for word in config.overrides if word.lstrip("+").startswith(("tok2vec=", "tok2vec."))]
    for word in words if all(name in known for name in blocks) else ():
        key = word.partition("=")[0].removeprefix("tok2vec").lstrip(".").partition(".")[0]
        asked = (
            [key]
            if key
            else [k for k, value in config.tok2vec.items() if value != AUTO and not isinstance(value, Mapping)]
        )
        for one, (name, block) in product(asked, blocks.items()):
            if isinstance(block, Mapping) and block.get(one, config.tok2vec.get(one)) != config.tok2vec.get(one):
                had, wanted = (json.dumps(of.get(one), default=str)[:80] for of in (block, config.tok2vec))
                fact = (
                    f"{one} of the token vectors of {name!r} is {had} in the trained model, and cannot become {wanted}"
                )
                raise RunnerError(fact, place=word[:80], hint="Leave it out, or train a new model, without init.model.")
