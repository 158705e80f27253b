"""Is there anything to learn, and anything to score? Asked before the first step, of the examples alone.

A run whose labels cannot be told apart reaches a loss of 0 and a score of 100, and one whose dev set has no gold chooses
its best epoch by nothing: both look like results. Such runs are refused; what spoils a part of the result is warned of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from runner.components.base import Flaw
from runner.components.pipeline import Pipeline, final_score
from runner.corpus.datasets import Corpus
from runner.corpus.example import Example
from runner.errors import RunnerError

HOLD_BACK = "corpus.dev=null corpus.folds=5"


def check_worth(pipeline: Pipeline, corpus: Corpus, weights: Mapping[str, float], *, warn: bool = True) -> None:
    """Raise RunnerError where nothing can be learned, or nothing tells epochs apart.

    The pipeline is initialized. weights: score → its weight in the final score. warn: say on stderr what spoils a part of
    the result.
    """
    check_labels(pipeline)
    for place, flaw in flaws(pipeline, corpus, weights):
        problem = RunnerError(flaw.fact, place=place, hint=flaw.hint)
        if flaw.is_fatal:
            raise problem
        if warn:
            print(f"warning: {problem}", file=sys.stderr, flush=True)


def flaws(pipeline: Pipeline, corpus: Corpus, weights: Mapping[str, float]) -> Iterator[tuple[str, Flaw]]:
    """What makes the result mean little or nothing, and the key of the data that it lies in."""
    for component in pipeline.components.values():
        for flaw in component.flaws(corpus.train) if component.labels else ():
            yield "corpus.train", flaw
    for flaw in dev_flaws(pipeline, corpus.dev, weights):
        yield "corpus.dev", flaw
    for flaw in file_flaws(corpus):
        yield "corpus.dev", flaw


def check_labels(pipeline: Pipeline) -> None:
    """Raises RunnerError for a component that has nothing to learn."""
    for component in pipeline.components.values():
        if component.has_weights and not component.labels:
            raise RunnerError(
                f"no example in the training data has a label for {component.name!r}",
                place="corpus.train",
                hint=f"{component.heading} needs annotations; is this the right file, and corpus.reader the right reader?",
            )


def dev_flaws(pipeline: Pipeline, dev: Sequence[Example], weights: Mapping[str, float]) -> Iterator[Flaw]:
    """Scores that the dev set has no gold for, and components none of whose gold labels occurs in training.

    The examples are not predicted yet: which scores are None depends on the gold annotation alone.
    """
    found = pipeline.score(dev)
    final = final_score(found, weights)
    asked = [key for key, weight in weights.items() if weight]
    absent = [key for key in asked if key in found and found[key] is None]
    if absent and final is None:
        fact = f"nothing in the dev data tells a good epoch from a bad one: it has no gold for {', '.join(absent)}"
        yield Flaw(fact, _advice(absent))
    elif absent:
        fact = f"the dev data has no gold for {', '.join(absent)}: the final score is that of the other scores"
        yield Flaw(fact, _advice(absent), is_fatal=False)
    for name, rows in found["per_type"].items():
        gold = [label for label, row in rows.items() if row.get("support")]
        known = {part for label in pipeline.components[name].labels for part in (label, label.split(":", 1)[0])}
        if gold and known.isdisjoint(gold):
            fact = f"no label of the dev data occurs in the training data for {name!r}: {', '.join(gold[:5])}"
            yield Flaw(fact, "They can never be predicted. Are both files annotated with the same labels?", False)


def _advice(absent: Sequence[str]) -> str:
    if "cats_score" in absent or "cats_macro_auc" in absent:
        return (
            "It takes texts that have a label and texts that lack it, which are annotated with 0: "
            '{"cats": {"A": 1, "B": 0}}.'
        )
    return f"Annotate some texts, choose another corpus.dev, or hold back a part of the training data: {HOLD_BACK}."


def file_flaws(corpus: Corpus) -> Iterator[Flaw]:
    """A file that is read as training data and as dev data; folds cut their parts from the same files."""
    if corpus.is_folded:
        return
    train = {source.sha256: source.path for source in corpus.sources if source.split == "train"}
    for source in corpus.sources:
        if source.split == "dev" and source.sha256 in train:
            fact = f"{source.path.name} is also training data: the score tells what was learned by heart"
            yield Flaw(
                fact, f"Choose another corpus.dev, or hold back a part of the training data: {HOLD_BACK}.", False
            )
