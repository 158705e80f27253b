"""All scores of one model on one set of examples, and what they look like as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.components.pipeline import Pipeline
from runner.corpus.example import Example
from runner.errors import RunnerError
from runner.foreign import shown_name
from runner.tracking.table import percent
from runner.training.loop import evaluate

LabelScores = Mapping[str, Mapping[str, float | None]]  # label → its scores
TOKEN_ACC = "token_acc"  # a score of the tokenizer; every example has gold for it


@dataclass(frozen=True)
class ModelScores:
    """scores: as Pipeline.evaluate names them; None without gold. per_type: component → label → its scores.

    by_component: component → the keys of its scores. score: the weighted mean that picks a run's best epoch; None if all
    its parts are None. words_per_second: of prediction, tokenization left out. excluded_entities: gold entities that do not
    start and end with predicted tokens.
    """

    n_docs: int
    n_words: int
    score: float | None
    scores: Mapping[str, float | None]
    per_type: Mapping[str, LabelScores]
    by_component: Mapping[str, Sequence[str]]
    words_per_second: float
    excluded_entities: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "docs": self.n_docs,
            "words": self.n_words,
            "score": self.score,
            "scores": dict(self.scores),
            "per_type": {name: dict(rows) for name, rows in self.per_type.items()},
            "words_per_second": self.words_per_second,
            "excluded_entities": self.excluded_entities,
        }


def score_model(nlp: Pipeline, examples: Sequence[Example], weights: Mapping[str, float] | None = None) -> ModelScores:
    """Predict the examples and score them, as a training scores its dev set.

    weights: score → its weight in the final score; None: those of the components. Raises RunnerError if the examples have
    no annotation that a component predicts.
    """
    components = [nlp.components[name] for name in nlp.pipe_names if nlp.components[name].has_weights]
    default = {key: weight for component in components for key, weight in component.score_weights.items()}
    result = evaluate(nlp, examples, weights or default, {})
    if all(value is None for key, value in result.scores.items() if key != TOKEN_ACC):
        layers = dict.fromkeys(key for component in components for key in component.annotation or (component.name,))
        raise RunnerError(
            f"there is nothing to score: no text has annotation in {' or '.join(repr(key) for key in layers)}",
            place=_place(examples),
            hint="Name data with annotation that the model predicts.",
        )
    first = nlp.predicted_copies(examples[:1])
    keys = {component.name: list(component.score(first)[0]) for component in components}
    return ModelScores(
        n_docs=len(examples),
        n_words=sum(len(example.predicted) for example in examples),
        score=result.score,
        scores=result.scores,
        per_type=result.per_type,
        by_component=keys,
        words_per_second=result.words_per_second,
        excluded_entities=result.excluded_entities,
    )


def _place(examples: Sequence[Example]) -> str | None:
    """The file of the first example."""
    source = examples[0].reference.source if examples else None
    return source.rpartition(":")[0] if source else None


def lines(nlp: Pipeline, result: ModelScores) -> Iterator[str]:
    """The result as aligned text: a block for each component, its scores first, then a table by label."""
    width = max(map(len, result.scores), default=0)
    told: set[str] = set()
    for name, keys in result.by_component.items():
        yield f"{shown_name(name)} ({nlp.components[name].type})"
        for key in keys:
            yield f"  {shown_name(key):<{width}}  {percent(result.scores.get(key)):>7}"
        told.update(keys)
        yield from _by_label(result.per_type.get(name, {}))
        yield ""
    yield "all"
    for key, value in result.scores.items():
        if key not in told:
            yield f"  {shown_name(key):<{width}}  {percent(value):>7}"
    yield f"  {'score':<{width}}  {percent(result.score):>7}"
    yield f"  {'words/s':<{width}}  {result.words_per_second:>7,.0f}"
    if result.excluded_entities:
        yield f"  {result.excluded_entities:,} gold entities do not start and end with words, and are not scored"


def _by_label(rows: LabelScores) -> Iterator[str]:
    """The scores of each label as a table; counts are whole numbers, shares percentages."""
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    width = max(len("label"), *(len(shown_name(label)) for label in rows))
    yield ""
    yield "  " + "  ".join([f"{'label':<{width}}", *(f"{column:>7}" for column in columns)])
    for label, row in rows.items():
        cells = [_cell(column, row.get(column)) for column in columns]
        yield "  " + "  ".join([f"{shown_name(label):<{width}}", *(f"{cell:>7}" for cell in cells)])


def _cell(column: str, value: float | None) -> str:
    if column == "support" and value is not None:
        return f"{value:,.0f}"
    return percent(value)
