"""Declarative training runs for NLP components, and the Python API of the same.

    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    sgd = nlp.initialize(lambda: examples)
    nlp.update(texts, annotations, drop=0.2, sgd=sgd)
    with nlp.use_params(sgd.averages):
        nlp.to_disk("model")

Names are imported when they are first used: `import runner` costs nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.api.past import runs
    from runner.api.run import RunResult, train
    from runner.api.sweep import SweepResult, sweep
    from runner.components.corpora import read_corpus, write_corpus
    from runner.components.pipeline import Pipeline
    from runner.corpus.batching import minibatch
    from runner.corpus.biluo import biluo_to_offsets, offsets_to_biluo
    from runner.corpus.doc import Doc
    from runner.corpus.example import Example
    from runner.corpus.views import Span, Token
    from runner.errors import RunFailed, RunnerError
    from runner.training.adam import adam
    from runner.training.optimizers import radam, sgd
    from runner.training.schedules import compounding, constant, decaying, delayed, linear, warmup_linear

__version__ = "0.1.0"

_HOMES = {
    "runner.api.past": ("runs",),
    "runner.api.run": ("RunResult", "train"),
    "runner.api.sweep": ("SweepResult", "sweep"),
    "runner.components.pipeline": ("Pipeline",),
    "runner.corpus.batching": ("minibatch",),
    "runner.corpus.biluo": ("biluo_to_offsets", "offsets_to_biluo"),
    "runner.components.corpora": ("read_corpus", "write_corpus"),
    "runner.corpus.doc": ("Doc",),
    "runner.corpus.views": ("Span", "Token"),
    "runner.corpus.example": ("Example",),
    "runner.errors": ("RunFailed", "RunnerError"),
    "runner.training.adam": ("adam",),
    "runner.training.optimizers": ("radam", "sgd"),
    "runner.training.schedules": ("compounding", "constant", "decaying", "delayed", "linear", "warmup_linear"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Doc", "Example", "Pipeline", "RunFailed", "RunResult", "RunnerError", "Span", "SweepResult", "Token", "adam",
    "biluo_to_offsets", "blank", "compounding", "constant", "decaying", "delayed", "linear", "load", "minibatch",
    "offsets_to_biluo", "radam", "read_corpus", "runs", "sgd", "sweep", "train", "warmup_linear", "write_corpus",
]  # fmt: skip


def blank(
    lang: str = "en",
    *,
    seed: int = 0,
    tokenizer: Mapping[str, Any] | None = None,
    ops: str = "numpy",
    threads: int | None = 1,
) -> Pipeline:
    """An empty pipeline; add components with `add_pipe`. seed: of initial weights and dropout. ops, threads: as for `load`.

    tokenizer: a `type:` block; {"type": "spacy"} has the rules of `lang`. Raises RunnerError where it names another language.
    """
    from runner.components.pipeline import Pipeline
    from runner.languages import check_language

    if tokenizer is not None:
        check_language(tokenizer, lang)
    return Pipeline(lang, seed=seed, tokenizer=tokenizer, ops=ops, threads=threads)


def load(
    path: str | Path,
    *,
    disable: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    code: Sequence[str | Path] = (),
    ops: str = "numpy",
    threads: int | None = 1,
) -> Pipeline:
    """A trained pipeline.

    path: a model folder, the folder of a run (its model-best), the name of an installed model package, or an address of
    MLflow: "runs:/RUN_ID/model-best", "models:/NAME/VERSION", "models:/NAME@ALIAS", "models:/NAME/latest".
    disable: components that take no part until nlp.selections[0].restore(). exclude: components that are left out.
    code: Python files to run first, for a model with entries of its maker's own; without them it is refused, and nothing
    in a model is ever run. ops: what computes, as compute.ops; "numba", an extra, is the fastest, and compiles for some
    seconds at its first use. threads: of BLAS, while the pipeline predicts or learns; afterwards the process has its own
    number back. 1, as in a run: our products are small, and more threads only cost. None: as the process has them.
    Raises RunnerError where there is no model, it is damaged, or it needs code, or numba is missing; or it has no component
    of a name that is disabled or excluded.
    """
    from runner.components.pipeline import load as load_folder

    folder = Path(path)
    if not os.path.isfile(folder / "meta.json"):
        from runner.tracking.model_source import find_model

        folder = find_model(path).folder
    nlp = load_folder(folder, code, ops, threads)
    for name in [exclude] if isinstance(exclude, str) else exclude:
        nlp.remove_pipe(name)
    if disable:
        nlp.select_pipes(disable=disable)
    return nlp


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    from runner.spacy_names import unknown

    raise unknown("runner", sys.modules[__name__], name)


class _SpacyNames:
    """The last finder of imports: `from runner.util import minibatch` tells what to write. Other names are not found."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.startswith("runner."):
            from runner.spacy_names import refuse_import

            refuse_import(name, _HOME_OF)


sys.meta_path.append(_SpacyNames)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
