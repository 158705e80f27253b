"""spaCy's scores of what our components predict, by spaCy's scorer: the numbers that its own components would report.

They may differ from `evaluate`: spaCy leaves punctuation out of dep_uas and dep_las, for example.
"""

from __future__ import annotations

from typing import Any

from spacy.scorer import Scorer, get_ner_prf

from runner.components.pipeline import Pipeline

_NO_ARCS = ("p", "punct")  # labels that spaCy's parser does not score


def spacy_scores(pipeline: Pipeline, examples: list[Any]) -> dict[str, Any]:
    """The scores of spaCy Examples. A layer without gold has None."""
    components = [pipeline.components[name] for name in pipeline.pipe_names]
    layers = {layer for component in components for layer in component.annotation or ()}
    scores: dict[str, Any] = {}
    if "tags" in layers:
        scores |= Scorer.score_token_attr(examples, "tag")
    if "heads" in layers:
        scores |= Scorer.score_deps(
            examples,
            "dep",
            getter=lambda token, attr: token.vocab.strings[getattr(token, attr)],
            ignore_labels=_NO_ARCS,
        )
        scores |= Scorer.score_spans(
            examples,
            "sents",
            has_annotation=lambda doc: doc.has_annotation("SENT_START"),
            getter=lambda doc, _: doc.sents,
        )
    if "entities" in layers:
        scores |= get_ner_prf(examples)
    if "cats" in layers:
        labels = [
            label for component in components if "cats" in (component.annotation or ()) for label in component.labels
        ]
        scores |= Scorer.score_cats(examples, "cats", labels=labels, multi_label=True)
    return scores
