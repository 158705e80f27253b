"""Made-up steps and runs for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.tracking.base import DatasetInfo, RunInfo, ScoreColumns
from runner.training.step import Best, Evaluation, Step

NER = ScoreColumns("ner", "NER", {"ents_p": "NER P", "ents_r": "NER R", "ents_f": "NER F"})


def make_step(step: int, epoch: int = 1, evaluation: Evaluation | None = None, is_best: bool = False) -> Step:
    return Step(
        step=step,
        epoch=epoch,
        losses={"ner": 8.0 / step},
        learn_rate=0.001,
        L2=1e-6,
        grad_clip=1.0,
        batch_size=1.001**step,
        dropout=0.2,
        grad_norm=0.5,
        words=100,
        seconds=0.01,
        epoch_words_done=100 * step,
        epoch_words=1000,
        evaluation=evaluation,
        best=make_best(step, epoch, evaluation) if is_best and evaluation is not None else None,
    )


def make_best(step: int, epoch: int, evaluation: Evaluation) -> Best:
    epochs = {"ner": epoch}
    return Best(step, epoch, evaluation.score, evaluation.scores, evaluation.per_type, epochs, params={})


def make_evaluation(score: float) -> Evaluation:
    return Evaluation(
        score=score,
        scores={"ents_p": score + 0.1, "ents_r": score - 0.1, "ents_f": score, "token_acc": 0.9987},
        per_type={
            "ner": {
                "LOC": {"p": 0.5, "r": 0.25, "f": 1 / 3, "support": 4},
                "PER": {"p": 1.0, "r": 0.5, "f": 2 / 3, "support": 6},
            }
        },
        losses={"ner": 1234.5},
        words_per_second=25123.4,
        trained_words_per_second=8001.2,
        excluded_entities=3,
    )


def three_steps() -> list[Step]:
    """A step, then two with evaluations, the first of which stays the best."""
    return [
        make_step(1),
        make_step(2, evaluation=make_evaluation(0.4), is_best=True),
        make_step(3, epoch=2, evaluation=make_evaluation(0.3)),
    ]


def make_run(output_dir: Path, name: str = "ner-adam-test", **config: object) -> RunInfo:
    output_dir.mkdir(parents=True, exist_ok=True)
    (output_dir / "config.yaml").write_text("seed: 0\n", encoding="utf8")
    return RunInfo(
        name=name,
        experiment="runner",
        output_dir=output_dir,
        config={"seed": 0, "output_dir": str(output_dir), "optimizer": {"type": "adam", "L2": 1e-6}, **config},
        tags={"git_commit": "0123abc", "component": "ner", "data_digest": "feed", "command_line": "python -m runner"},
        datasets=[
            DatasetInfo("tiny", "train", "/data/tiny.iob", "ab" * 32, n_docs=3, n_words=30),
            DatasetInfo("tiny", "dev", "/data/tiny.iob", "ab" * 32, n_docs=1, n_words=10),
        ],
        columns=[NER],
        max_epochs=2,
    )


def make_models(folder: Path) -> dict[str, Path]:
    """Two model folders of a few files."""
    models = {}
    for name in ("model-best", "model-last"):
        (folder / name / "parts").mkdir(parents=True)
        (folder / name / "meta.json").write_text(f'{{"name": "{name}"}}', encoding="utf8")
        (folder / name / "parts" / "weights.msgpack").write_bytes(bytes(range(256)) * 4)
        models[name] = folder / name
    return models


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
