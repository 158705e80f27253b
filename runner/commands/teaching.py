"""What a teacher does before the first step: `teacher=labels` writes its confident predictions into the training data."""

from __future__ import annotations

from runner.assemble import check_teacher, make_pipeline, make_teacher
from runner.components.pipeline import Pipeline
from runner.components.pseudo_labels import Written
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.launch.taught import with_pseudo_labels


def taught(config: RunConfig, corpus: Corpus, initial: Pipeline | None) -> tuple[Corpus, dict[str, Written]]:
    """The corpus that the run learns from; component → the pseudo-labels in it, empty where the teacher writes none.

    initial: see assemble.make_initial. Raises RunnerError if the teacher cannot teach.
    """
    teacher = make_teacher(config, initial) if config.teacher.writes_labels else None
    if teacher is None:
        return corpus, {}
    pipeline = make_pipeline(config, initial=initial)
    check_teacher(pipeline, teacher, needs_lessons=config.teacher.has_beliefs)
    return with_pseudo_labels(
        config, corpus, teacher.nlp, [name for name in pipeline.pipe_names if teacher.knows(name)]
    )
