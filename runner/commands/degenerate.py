"""Check, before the first step, that the examples have something to learn and something to score.

If all labels are the same, a run reaches a loss of 0 and a score of 100. If dev has no gold annotation, a run cannot tell
its best epoch. Both runs seem to succeed, so both are refused. A flaw in only a part of the result is a warning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.components.facts import Flaw
from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.corpus.datasets import Corpus
from runner.corpus.example import Example
from runner.corpus.no_labels import holding
from runner.errors import RunnerError
from runner.training.loop import Plan

_OR_FOLDS = ", or hold back a part of the training data: corpus.dev=null corpus.folds=5"
_NAMED = {"dev": "dev data", "test": "test data", "fold": "fold that is the dev data"}
_ANOTHER = {"dev": f"another corpus.dev{_OR_FOLDS}", "test": "another corpus.test", "fold": "another corpus.fold"}


def check_worth(pipeline: Pipeline, corpus: Corpus, plan: Plan, *, warn: bool = True) -> None:
    """Raise RunnerError if nothing can be learned, or no score tells epochs apart.

    The pipeline is initialized. warn: print the other flaws on stderr.
    """
    check_labels(pipeline, corpus.train)
    for place, flaw in flaws(pipeline, corpus, plan):
        problem = RunnerError(flaw.fact, place=place, hint=flaw.hint)
        if flaw.is_fatal:
            raise problem
        if warn:
            print(f"warning: {problem}", file=sys.stderr, flush=True)


def flaws(pipeline: Pipeline, corpus: Corpus, plan: Plan) -> Iterator[tuple[str, Flaw]]:
    """Yield (config key of the data, flaw) for each flaw that makes the result partly or wholly meaningless.

    A component that learns from a teacher's beliefs may find nothing in the annotation.
    """
    weights = plan.score_weights
    for component in (pipeline.components[name] for name in pipeline.pipe_names):
        is_taught = plan.teacher is not None and plan.teacher.knows(component.name)
        for flaw in component.flaws(corpus.train) if component.labels and not is_taught else ():
            yield "corpus.train", flaw
    for flaw in gold_flaws(pipeline, corpus.dev, weights, "fold" if corpus.is_folded else "dev"):
        yield "corpus.dev", flaw
    for flaw in gold_flaws(pipeline, corpus.test, weights, "test") if corpus.test else ():
        yield "corpus.test", replace(flaw, is_fatal=False)
    yield from file_flaws(corpus)


def check_labels(pipeline: Pipeline, train: Sequence[Example] = ()) -> None:
    """Raise RunnerError if a component has nothing to learn. train: the examples, to find the reason."""
    for component in (pipeline.components[name] for name in pipeline.pipe_names):
        if component.has_weights and not component.labels:
            flaw = component.nothing_to_learn(train)
            raise RunnerError(flaw.fact, place="corpus.train", hint=flaw.hint)


def gold_flaws(
    pipeline: Pipeline, examples: Sequence[Example], weights: Mapping[str, float], part: str
) -> Iterator[Flaw]:
    """Yield flaws: scores without gold in a part of the corpus, and components whose gold labels never occur in training.

    The examples have no predictions yet: gold annotation alone decides which scores are None.
    """
    scores = pipeline.gold_scores(examples)
    final = final_score(scores, weights)
    asked = [key for key, weight in weights.items() if weight]
    absent = [key for key in asked if key in scores and scores[key] is None]
    if absent and final is None:
        fact = (
            f"nothing in the {_NAMED[part]} tells a good model from a bad one: it has no gold for {', '.join(absent)}"
            + holding(examples)[0]
        )
        yield Flaw(fact, _advice(absent, part))
    elif absent:
        fact = f"the {_NAMED[part]} has no gold for {', '.join(absent)}: the final score is that of the other scores"
        yield Flaw(fact, _advice(absent, part), is_fatal=False)
    for name, rows in scores["per_type"].items():
        gold = [label for label, row in rows.items() if row.get("support")]
        known = {part for label in pipeline.components[name].labels for part in (label, label.split(":", 1)[0])}
        if gold and known.isdisjoint(gold):
            fact = f"no label of the {_NAMED[part]} occurs in the training data for {name!r}: {', '.join(gold[:5])}"
            yield Flaw(
                fact, "They can never be predicted. Are both files annotated with the same labels?", is_fatal=False
            )


def _advice(absent: Sequence[str], part: str) -> str:
    if "cats_score" in absent or "cats_macro_auc" in absent:
        return (
            "It takes texts that have a label and texts that lack it, which are annotated with 0: "
            '{"cats": {"A": 1, "B": 0}}.'
        )
    return f"Annotate some texts, or choose {_ANOTHER[part]}."


def file_flaws(corpus: Corpus) -> Iterator[tuple[str, Flaw]]:
    """Yield a flaw for each file in two parts of the corpus. Folds are exempt: train and dev share their files."""
    files: dict[str, dict[str, Path]] = {"train": {}, "dev": {}, "test": {}, "teacher": {}, "old_dev": {}}
    for source in corpus.sources:
        files[source.split][source.sha256] = source.path
    for part in ("test",) if corpus.is_folded else ("dev", "test"):
        for path in (path for sha, path in files[part].items() if sha in files["train"]):
            fact = f"{path.name} is also training data: the score tells what was learned by heart"
            hint = f"Choose {_ANOTHER[part]}."
            yield f"corpus.{part}", Flaw(fact, hint, is_fatal=False)
    for sha, path in files["test"].items():
        if sha in files["dev"] and sha not in files["train"]:
            fact = f"{path.name} is also dev data: the epoch is chosen by what is held out"
            yield "corpus.test", Flaw(fact, f"Choose {_ANOTHER['test']}.", is_fatal=False)
