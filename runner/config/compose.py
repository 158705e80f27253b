"""conf/ and overrides → one RunConfig, by Hydra; with program.py, sweep.py and explain.py the only place that knows Hydra.

Which keys there are is schema.py's business, what a `type:` means resolve.py's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import secrets
from runner.errors import RunFailed, RunnerError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig

OPTUNA: dict[str, Any] = {  # see search.py
    "_target_": "hydra_plugins.runner.OptunaSweeper",
    "n_trials": 20,  # in all
    "sampler": "tpe",  # or random
    "pruner": "median",  # ends trials that fall behind; none
    "seed": 0,  # of the sampler
    "params": {},
}
CONFIG_NAME = "config"
# Groups of which a run has one file. Files of the others (pipeline, augmenters, presets) complete one another.
ONE_FILE = ("optimizer", "tok2vec", "batch", "dropout", "corpus", "training", "tracking", "compute")


def conf_dir() -> Path:
    """The folder of config files: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG_NAME}.yaml").is_file():
            return folder
    raise RunnerError("the config files are missing", place=str(package / "conf"), hint="Install the package again.")


def compose(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> RunConfig:
    """The checked config of a run, without running it; `output_dir` is not made.

    overrides: as on the command line. config_dir: as --config-dir. Raises RunnerError.
    """
    from runner.config.guard import guarded

    try:
        with guarded():
            node = compose_node(overrides, config_dir)
            choices = node.hydra.runtime.choices
            output_dir = Path(str(node.hydra.run.dir))
            return run_config(node, output_dir=output_dir, overrides=list(overrides), choices=choices)
    except RunnerError:
        raise
    except Exception as error:
        raise explained(error, list(overrides), config_dir) from error


def compose_node(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> DictConfig:
    """What Hydra composes, its own `hydra` node included. Raises what Hydra raises."""
    from hydra import compose as hydra_compose

    with compose_lone(config_dir) as (_, searchpath):
        return hydra_compose(CONFIG_NAME, overrides=[*overrides, *searchpath], return_hydra_config=True)


@contextmanager
def compose_lone(config_dir: str | Path | None = None) -> Iterator[tuple[Any, list[str]]]:
    """A Hydra to compose with, apart from the one that may be running, and the override that adds `config_dir`."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from runner.config.guard import guarded

    register()
    searchpath = []
    if config_dir is not None:
        if not Path(config_dir).is_dir():
            raise RunnerError(f"there is no folder {str(config_dir)!r}", place="--config-dir")
        searchpath.append(f"hydra.searchpath=['file://{Path(config_dir).resolve()}']")
    saved = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with guarded(), initialize_config_dir(version_base="1.3", config_dir=str(conf_dir()), job_name="runner"):
            yield GlobalHydra.instance().hydra, searchpath
    finally:
        GlobalHydra.instance().hydra = saved


def register() -> None:
    """Tell Hydra our schema and the two resolvers of conf/config.yaml."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    from runner.config.schema import typed_base

    store = ConfigStore.instance()
    store.store(name="runner_schema", node=typed_base(), provider="runner")
    store.store(group="hydra/sweeper", name="optuna", node=OPTUNA, provider="runner")
    OmegaConf.register_new_resolver("first_given", _first_given, replace=True)
    OmegaConf.register_new_resolver("random_digits", _random_digits, use_cache=True, replace=True)


def _first_given(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _random_digits() -> str:
    return os.urandom(3).hex()


def run_config(
    node: DictConfig,
    *,
    output_dir: Path,
    overrides: list[str],
    choices: Mapping[str, Any],
    job_number: int | None = None,
    is_multirun: bool = False,
) -> RunConfig:
    """Resolve, check, and make it plain. Raises RunnerError, and what OmegaConf raises."""
    from omegaconf import OmegaConf

    from runner.config import check as checks
    from runner.config import guard, kept, schema
    from runner.language import in_language

    guard.refill()
    _refuse_lists(choices, overrides)
    own = OmegaConf.masked_copy(node, [str(key) for key in node if key != "hydra"])
    plain: Any = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
    secrets.learn(plain)
    plain["tracking"]["experiment"] = experiment_of(plain["tracking"])
    checks.check_config(plain)
    plain["pipeline"]["tokenizer"] = in_language(plain["pipeline"]["tokenizer"], plain["pipeline"]["lang"])
    kept.check_text(plain)
    guard.refill()
    has_own_folder = plain["output_dir"] is not None and not is_multirun
    plain["output_dir"] = str(output_dir.absolute())
    return schema.RunConfig(
        seed=plain["seed"],
        output_dir=output_dir.absolute(),
        code=plain["code"],
        pipeline=schema.section(schema.PipelineConfig, plain["pipeline"]),
        optimizer=plain["optimizer"],
        corpus=schema.section(schema.CorpusConfig, plain["corpus"]),
        tok2vec=plain["tok2vec"],
        batch=plain["batch"],
        dropout=plain["dropout"],
        augmenters=plain["augmenters"],
        training=schema.section(schema.TrainingConfig, plain["training"]),
        tracking=checks.tracker_block(plain["tracking"]),
        compute=schema.section(schema.ComputeConfig, plain["compute"]),
        experiment=plain["tracking"]["experiment"],
        run_name=plain["tracking"]["run_name"],
        overrides=[secrets.masked_word(word) for word in overrides],
        choices={key: str(value) for key, value in choices.items() if not key.startswith("hydra") and value},
        is_multirun=is_multirun,
        job_number=job_number,
        resume=plain["resume"],
        force=plain["force"],
        fail_fast=plain["fail_fast"],
        repeat=plain["repeat"],
        has_own_folder=has_own_folder,
        resolved=plain,
        kept=kept.kept_config(own, plain) | {"output_dir": plain["output_dir"]},
    )


def _refuse_lists(choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Raises RunnerError where a list chose files of a group of which one excludes another: Hydra would merge them, and
    keep of each key what the last file says. Hydra leaves a group that was chosen by a list out of the choices."""
    for group in ONE_FILE:
        if choices and group not in choices:
            typed = [word.partition("=")[2].strip("[]") for word in overrides if word.startswith(f"{group}=[")]
            names = typed[-1].replace(" ", "") if typed else "NAME,NAME"
            each = f"-m {group}={names} runs each of them." if "," in names else f"Write {group}={names}."
            raise RunnerError("one file of this group is chosen, not a list", place=group, hint=each)


def experiment_of(tracking: Mapping[str, Any]) -> str:
    """The MLflow experiment that the config names, else MLFLOW_EXPERIMENT_NAME, else "runner"."""
    given = tracking["experiment"]
    return str(given) if given is not None else os.environ.get("MLFLOW_EXPERIMENT_NAME") or "runner"


def job_error(error: Exception, node: Any, overrides: list[str], config_dir: str | None) -> RunnerError | None:
    """The error for the user, or None where the mistake is ours."""
    if isinstance(error, MemoryError):  # first of all: the imports below need some
        fact = (
            f"there is not enough memory ({str(error).splitlines()[0]})" if str(error) else "there is not enough memory"
        )
        return RunFailed(
            fact,
            place="memory",
            hint="Lower the sizes in tok2vec and pipeline.components, the batch size, or corpus.limit.",
        )
    from runner.blocks import code_error
    from runner.config import explain

    if isinstance(error, RunnerError):
        return explain.with_origin(error, node)
    return explain.interpolation_error(error, node) or code_error(error, RunFailed)


def explained(error: Exception, overrides: list[str], config_dir: str | Path | None) -> RunnerError:
    from runner.config import explain

    return explain.explain(error, overrides, config_dir)
