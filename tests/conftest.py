"""`stand_ins`: registries with made-up entries, for tests of rooms that must not depend on the rooms after them."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from runner import registry
from runner.registry import Schedule, Tok2VecBlock


def adam(learn_rate: Schedule = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
         L2: Schedule = 1e-6, L2_is_weight_decay: bool = True, grad_clip: Schedule = 1.0,
         use_averages: bool = True, rates: Mapping[str, float | Schedule] = MappingProxyType({})) -> dict[str, Any]:  # fmt: skip
    return dict(locals())


def sgd(learn_rate: Schedule, L2: Schedule = 0.0, L2_is_weight_decay: bool = True, grad_clip: Schedule = 1.0,
        use_averages: bool = True, rates: Mapping[str, float | Schedule] = MappingProxyType({})) -> dict[str, Any]:  # fmt: skip
    return dict(locals())


def constant(value: float) -> Callable[[int], float]:
    return lambda step: value


def decaying(start: float, stop: float, decay: float) -> Callable[[int], float]:
    if not 0 <= stop <= start:
        raise ValueError(f"stop {stop} must lie between 0 and start {start}")
    return lambda step: max(start - decay * step, stop)


def compounding(start: float, stop: float, compound: float) -> Callable[[int], float]:
    return lambda step: min(start * compound**step, stop)


def linear(start: float, stop: float, steps: int) -> Any:
    return lambda step: start


def warmup_linear(initial_rate: float, warmup_steps: int, total_steps: int) -> Any:
    return lambda step: initial_rate


def growing(start: float = 1.0, compound: float = 1.001, stop: float | None = None) -> dict[str, Any]:
    return dict(locals())


def by_sentences(size: Schedule) -> dict[str, Any]:
    return dict(locals())


def by_words(size: Schedule, tolerance: float = 0.2, discard_oversize: bool = False) -> dict[str, Any]:
    return dict(locals())


def hash_embed_cnn(
    width: int = 96,
    depth: int = 4,
    embed_size: int = 2000,
    window_size: int = 1,
    maxout_pieces: int = 3,
    features: list[str] | None = None,
    word_dropout: float = 0.0,
    vectors: dict[str, Any] | None = None,
) -> Any:
    return dict(locals())


def ner(name: str, tok2vec: Tok2VecBlock, hidden_width: int = 64, maxout_pieces: int = 2) -> dict[str, Any]:
    return dict(locals())


def console() -> str:
    return "console"


def mlflow(uri: str | None = None, experiment: str = "runner", run_name: str | None = None,
           system_metrics: bool = False) -> dict[str, Any]:  # fmt: skip
    return dict(locals())


def anything(**options: Any) -> dict[str, Any]:
    return options


class _Anything(dict[str, Any]):
    """A table that knows one stand-in by every name: the corpus room's names are its own business."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return anything


FAKES: dict[str, dict[str, Any]] = {
    "optimizers": {"adam": adam, "radam": adam, "sgd": sgd},
    "schedules": {
        "constant": constant,
        "decaying": decaying,
        "compounding": compounding,
        "linear": linear,
        "warmup_linear": warmup_linear,
    },
    "batchers": {"growing": growing, "by_sentences": by_sentences, "by_words": by_words},
    "tok2vecs": {"hash_embed_cnn": hash_embed_cnn},
    "components": {"ner": ner},
    "trackers": {"console": console, "mlflow": mlflow},
    "readers": _Anything(),
    "tokenizers": _Anything(),
}

SEED_ERA = (
    "learn_rate", "dropout_from", "dropout_to", "dropout_decay", "batch_from", "batch_to", "batch_compound",
    "token_vector_width", "embed_size", "hidden_width", "optimizer_B1", "optimizer_B2", "optimizer_eps", "L2_penalty",
    "grad_norm_clip",
)  # fmt: skip


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Fake entries, a working folder of its own, and none of the seed era's variables."""
    for kind, factories in FAKES.items():
        registry.KINDS[kind].names()  # modules that register entries when they are imported have done so
        monkeypatch.setattr(
            registry.KINDS[kind], "_factories", factories if kind in ("readers", "tokenizers") else dict(factories)
        )
        monkeypatch.setattr(registry.KINDS[kind], "_is_filled", True)
    for name in SEED_ERA:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level  # --info of Hydra adds one of its own


# A run of every component, trained once a session. Tests must not change its folder: copy it.

_NAMES, _PLACES = ("Ada", "Bo", "Lin", "Max", "Rome"), ("Oslo", "Rome", "Lima")  # Rome lives in Lima


def full_records(n: int, start: int = 0) -> list[dict[str, Any]]:
    """Texts with every layer of annotation: entities, tags, trees and categories."""
    records = []
    for i in range(start, start + n):
        name, place = _NAMES[i % 5], _PLACES[i % 3]
        words = [name, "lives" if i % 2 else "works", "in", place, "."]
        text = " ".join(words[:4]) + "."
        at = text.rindex(place)
        records.append(
            {
                "id": f"text-{i}",
                "text": text,
                "words": words,
                "spaces": [True, True, True, False, False],
                "entities": [[0, len(name), "PER"], [at, at + len(place), "LOC"]],
                "tags": ["NNP", "VBZ", "IN", "NNP", "."],
                "pos": ["PROPN", "VERB", "ADP", "PROPN", "PUNCT"],
                "heads": [1, 1, 3, 1, 1],
                "deps": ["nsubj", "root", "case", "obl", "punct"],
                "cats": {"HOME": float(i % 2), "WORK": float(not i % 2)},
            }
        )
    return records


def write_jsonl(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
    return path


FULL = (
    "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "pipeline=full", "tok2vec=small", "tok2vec.width=16",
    "tok2vec.depth=1", "tok2vec.embed_size=100", "optimizer.learn_rate=0.005", "dropout=constant", "training.max_epochs=2",
    "batch=words", "batch.size=40", "corpus.limit=30",
    "+pipeline.components.textcat={type: textcat, tok2vec: null, architecture: {type: bag_of_ngrams, rows: 512}}",
    "+pipeline.score_weights.cats_score=0.5", "output_dir=run",
)  # fmt: skip


def train_full(folder: Path, *words: str) -> Path:
    """Train on full_records in a folder, with train.jsonl, dev.jsonl and test.jsonl in it; the run's folder."""
    from runner.__main__ import main

    write_jsonl(folder / "train.jsonl", full_records(36))
    write_jsonl(folder / "dev.jsonl", full_records(10, 36))
    write_jsonl(folder / "test.jsonl", full_records(7, 46))
    with contextlib.chdir(folder):
        assert main([*FULL, *words]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of every component, outside MLflow, without a test set."""
    return train_full(tmp_path_factory.mktemp("full"), "tracking=none")


@pytest.fixture(scope="session")
def tracked_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, tracked in the mlflow.db beside it, and with a test set."""
    folder = tmp_path_factory.mktemp("tracked")
    return train_full(folder, f"tracking.uri=sqlite:///{folder}/mlflow.db", "corpus.test=test.jsonl")


@pytest.fixture
def fresh_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow as a new process finds it: an earlier test of this process may have set an address for all of it."""
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    monkeypatch.setattr(tracking, "_tracking_uri", None)
    monkeypatch.setattr(registry, "_registry_uri", None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
