"""The result of a run so far, which its checkpoints keep, and summary.json, which scripts build on."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import srsly

from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.files import write_file
from runner.tracking.past_run import BEST, KERNEL, LAST
from runner.training.step import Step


@dataclasses.dataclass
class Result:
    """The result of the run so far."""

    fingerprint: str | None = None
    n_evaluations: int = 0
    pruned: bool = False  # ended early by a search, as it fell behind
    best: dict[str, Any] | None = None  # epoch, step, score, scores, epochs
    test: dict[str, Any] | None = None  # score, scores of model-best on the test set
    rollbacks: int = 0  # after a loss, gradient or weight that was not finite
    train_words: int = 0
    train_seconds: float = 0.0
    weights_sha256: str | None = None  # of model-last
    checkpoint_seconds: float = 0.0  # that the training waited for its checkpoints
    chosen: dict[str, str] = dataclasses.field(default_factory=dict)  # see Plan.chosen
    answer: dict[str, Any] | None = None  # model-best's record of an example sentence
    init: dict[str, Any] | None = None  # the model that the run started from: model, weights_sha256, score, scores
    init_tok2vec: dict[str, Any] | None = (
        None  # the pretrained token vectors that it started from, see launch/pretrained.py
    )
    pseudo_labels: dict[str, Any] | None = None  # component → labels, open_words, texts that its teacher has written
    kernel: str = ""  # model/kernel.py's; " → " stands between those of a run that was resumed on another

    def record(self, step: Step) -> None:
        """Count rollbacks, words and seconds."""
        self.rollbacks += len(step.rollbacks)
        self.train_words += step.words
        self.train_seconds += step.seconds


def note_kernel(result: Result, now: str) -> None:
    """Note which kernel computes from here on. Warn if a resumed run was begun on another kernel, which rounds otherwise."""
    before = result.kernel.split(" → ")[-1]
    if before and before != now:
        warning = RunnerError(
            f"the run was begun on another kernel ({before}) and goes on with {now}",
            place="resume",
            hint="It rounds otherwise: the weights will not be the bits of an undisturbed run. Tag and summary.json say so.",
        )
        print(warning, file=sys.stderr, flush=True)
    if before != now:
        result.kernel = f"{result.kernel} → {now}" if before else now


def write_summary(
    config: RunConfig, result: Result, status: str, run_id: str | None, seconds: float, error: str | None = None
) -> None:
    """summary.json, which scripts build on."""
    summary = {
        "status": status,
        "fingerprint": result.fingerprint,
        "pruned": result.pruned,
        "run_id": run_id,
        "error": error,
        "best": result.best,
        "test": result.test,
        "model_best": _folder(config.output_dir / BEST),
        "model_last": _folder(config.output_dir / LAST),
        "rollbacks": result.rollbacks,
        "init": result.init,
        "init_tok2vec": result.init_tok2vec,
        "chosen": result.chosen,
        "pseudo_labels": result.pseudo_labels,
        "train_words": result.train_words,
        "seconds": round(seconds, 3),
        "train_words_per_second": round(result.train_words / result.train_seconds, 1) if result.train_seconds else 0.0,
        "checkpoint_seconds": round(result.checkpoint_seconds, 3),
        "weights_sha256": result.weights_sha256,
        KERNEL: result.kernel,
    }
    write_file(config.output_dir / "summary.json", srsly.json_dumps(summary, indent=2) + "\n")


def _folder(path: Path) -> str | None:
    return str(path) if path.is_dir() else None
