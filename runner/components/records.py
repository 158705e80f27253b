"""What a pipeline predicts for a doc, as a plain record in the training style (corpus/annotations.py).

    {"text": "Ada slept.", "entities": [[0, 3, "PER"]], "words": ["Ada", "slept", "."], "tags": ["NNP", "VBD", "."]}

Each component gives its own part (`Component.as_record`). Offsets count in the text as it was given.
"""

from __future__ import annotations

from typing import Any

from runner.components.pipeline import Pipeline
from runner.corpus.doc import Doc


def record_of(pipeline: Pipeline, doc: Doc) -> dict[str, Any]:
    """The doc's text and the parts of all components that take part, in their order."""
    record: dict[str, Any] = {"text": doc.text}
    for name in pipeline.pipe_names:
        record.update(pipeline.components[name].as_record(doc))
    return record
