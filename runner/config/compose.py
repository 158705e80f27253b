"""conf/ and overrides → one checked RunConfig.

nodes.py composes the files, schema.py says which keys there are, check.py refuses values that could not run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import secrets
from runner.config.guard import guarded
from runner.config.nodes import compose_node
from runner.errors import RunFailed, RunnerError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config.schema import RunConfig

# Config groups of which a run takes exactly one file. Files of other groups (pipeline, augmenters, presets) may be combined.
ONE_FILE = ("optimizer", "tok2vec", "vectors", "batch", "dropout", "corpus", "training", "tracking", "compute",
            "teacher")  # fmt: skip


def compose(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> RunConfig:
    """The checked config of a run. Nothing is run, and `output_dir` is not made.

    overrides: as on the command line. config_dir: as --config-dir. Raises RunnerError.
    """
    try:
        with guarded():
            node = compose_node(overrides, config_dir)
            choices = node.hydra.runtime.choices
            output_dir = Path(str(node.hydra.run.dir))
            return run_config(node, output_dir=output_dir, overrides=list(overrides), choices=choices)
    except RunnerError:
        raise
    except Exception as error:
        from runner.config.explain import explain

        raise explain(error, list(overrides), config_dir) from error


def run_config(
    node: DictConfig,
    *,
    output_dir: Path,
    overrides: list[str],
    choices: Mapping[str, Any],
    job_number: int | None = None,
    is_multirun: bool = False,
) -> RunConfig:
    """The checked, plain config of the composed `node`. Raises RunnerError, and what OmegaConf raises."""
    from omegaconf import OmegaConf

    from runner.config import check as checks
    from runner.config import guard, kept, schema
    from runner.languages import in_language

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
        init=schema.section(schema.InitConfig, plain["init"]),
        teacher=schema.section(schema.TeacherConfig, plain["teacher"]),
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
    """Raises RunnerError where a list chose files of a group in ONE_FILE: Hydra would merge them, and the last file would win.

    Hydra's choices lack a group that a list chose.
    """
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


def job_error(error: Exception, node: Any) -> RunnerError | None:
    """The error to show to the user; None if it is a bug of ours. node: the job's config, None if there is none yet."""
    if isinstance(error, MemoryError):  # first of all: the imports below need some
        detail = f" ({str(error).splitlines()[0]})" if str(error) else ""
        return RunFailed(
            f"there is not enough memory{detail}",
            place="memory",
            hint="Lower the sizes in tok2vec and pipeline.components, the batch size, or corpus.limit.",
        )
    from runner.config import explain
    from runner.user_code import code_error

    if isinstance(error, RunnerError):
        return explain.with_origin(error, node)
    return explain.interpolation_error(error, node) or code_error(error, RunFailed)
