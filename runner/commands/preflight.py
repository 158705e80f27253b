"""Check that a job would start: rehearse, on a few docs, all that train.py does around its first step.

The rehearsal builds the pipeline, makes one update, predicts and scores. So shapes that do not fit, a score that no
component gives, a tag map without a tag, or a schedule that leaves its range show at once and not after an hour. Nothing
is written. Jobs with the same corpus open the corpus once, and read only its first docs. `debug` checks all docs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.assemble import make_corpus, make_learner, make_start, set_compute
from runner.commands.degenerate import check_worth
from runner.commands.teaching import taught
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.corpus.example import Example
from runner.training.loop import evaluate
from runner.user_code import load_code

FIRST_DOCS = 20  # docs of each file
BATCH = 4  # examples of the rehearsed update


class Preflight:
    """Raise RunnerError for a job that would fail. Corpora and passed jobs are remembered, so that similar jobs cost little.

    Jobs that differ only in seed, folder and tracking count as one job. whole: read the corpora to their ends, and
    refuse a job without anything to learn or to score.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._corpora: dict[str, Corpus] = {}
        self._passed: set[str] = set()

    def __call__(self, config: RunConfig) -> None:
        aside = ("seed", "output_dir", "tracking", "code", "resume", "repeat", "force", "fail_fast")
        key = _text({name: value for name, value in config.resolved.items() if name not in aside})
        if key in self._passed:
            return
        load_code(config.code)
        set_compute(config)
        with np.errstate(all="ignore"):  # the rehearsal looks for NaN and infinity itself
            rehearse(config, self.corpus(config), needs_labels=self._whole)
        self._passed.add(key)

    def corpus(self, config: RunConfig) -> Corpus:
        """Return the job's corpus, or its beginning. Jobs with the same corpus share the object."""
        key = _text([config.resolved["corpus"], config.teacher.texts, config.pipeline.tokenizer])
        if key not in self._corpora:
            folds = config.corpus.folds or 1
            most = FIRST_DOCS * folds
            limit = config.corpus.limit if self._whole else min(config.corpus.limit or most, most)
            corpus = dataclasses.replace(config.corpus, limit=limit)
            self._corpora[key] = make_corpus(dataclasses.replace(config, corpus=corpus))
        return self._corpora[key]


def rehearse(config: RunConfig, corpus: Corpus, *, needs_labels: bool) -> None:
    """Make one update and one evaluation. Raises RunnerError."""
    initial, teacher = make_start(config)
    if needs_labels:
        corpus, _ = taught(config, corpus, initial, teacher)
    pipeline, sgd, plan = make_learner(config, initial=initial, teacher=teacher)
    some = spread(corpus.train, FIRST_DOCS)
    pipeline.initialize(lambda: corpus.train if needs_labels else some, sgd=sgd, start_over=False)
    if needs_labels:
        check_worth(pipeline, corpus, plan, warn=False)
    batch = sorted(some, key=lambda example: len(example.predicted))[:BATCH]
    pipeline.update(batch, drop=plan.dropout(0), sgd=sgd, teacher=plan.teacher)
    evaluate(pipeline, spread(corpus.dev, BATCH), plan.score_weights, sgd.averages)


def spread(examples: Sequence[Example], n: int) -> list[Example]:
    """Return `n` evenly spaced examples, with predicted docs copied so that the corpus stays unchanged."""
    step = max(len(examples) // n, 1)
    some = (examples[i] for i in range(0, len(examples), step)[:n])
    return [Example(e.predicted.copy(), e.reference, alignment=e.alignment) for e in some]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
