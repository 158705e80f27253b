"""What a teacher does before the first step: `teacher=labels` writes its confident predictions into the training data.

The raw texts that are learned from it alone (`teacher.texts`) are part of them.
"""

from __future__ import annotations

import sys

from runner.assemble import make_pipeline
from runner.components.pipeline import Pipeline
from runner.components.pseudo_labels import Written
from runner.components.teacher import Teacher
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.launch.taught import with_pseudo_labels


def taught(
    config: RunConfig, corpus: Corpus, initial: Pipeline | None, teacher: Teacher | None
) -> tuple[Corpus, dict[str, Written]]:
    """The corpus that the run learns from; component → the pseudo-labels in it, empty where the teacher writes none.

    initial, teacher: see assemble.make_start.
    """
    raw = [source for source in corpus.sources if source.split == "teacher"]
    if raw:
        n_docs, n_words = sum(one.n_docs for one in raw), sum(one.n_words for one in raw)
        told = f"raw texts to learn from the teacher: {n_docs:,} of {n_words:,} words"
        print(told, file=sys.stderr, flush=True)  # stdout may be JSON
    if teacher is None or not config.teacher.writes_labels:
        return corpus, {}
    names = [name for name in make_pipeline(config, initial=initial).pipe_names if teacher.knows(name)]
    return with_pseudo_labels(config, corpus, teacher.nlp, names)
