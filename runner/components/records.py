"""Turn a pipeline's predictions for a doc into a record in the training style (corpus/annotations.py).

    {"text": "Ada slept.", "entities": [[0, 3, "PER"]], "words": ["Ada", "slept", "."], "tags": ["NNP", "VBD", "."]}

Each component gives its own part (`Component.as_record`). Offsets refer to the original text.
"""

from __future__ import annotations

from typing import Any

from runner.components.pipeline import Pipeline
from runner.corpus.doc import Doc
from runner.errors import RunnerError


def record_of(pipeline: Pipeline, doc: Doc) -> dict[str, Any]:
    """Return the doc's text and the parts of all enabled components, in pipeline order."""
    record: dict[str, Any] = {"text": doc.text}
    for name in pipeline.pipe_names:
        record.update(pipeline.components[name].as_record(doc))
    return record


def drop_unsure(pipeline: Pipeline, doc: Doc, minimum: float) -> None:
    """Remove predictions with a confidence below `minimum` from a doc that was annotated with confidence=True.

    Each component says what can be left out: entities and categories. Raises RunnerError unless minimum is from 0 to 1.
    """
    if not 0 <= minimum <= 1:
        raise RunnerError(f"the lowest confidence is {minimum}; it must be from 0 to 1", hint="Give 0.8 for 80 %.")
    for name in pipeline.pipe_names:
        pipeline.components[name].drop_unsure(doc, minimum)
