"""What a model gets wrong on annotated texts, component by component: counts of outcomes by kind, label and group.

    report = examine(pipeline, corpus.dev, train=corpus.train)
    report.components[0].kinds         Counter({"right": 61, "missed": 27, "wrong boundary": 9})

Components tell their own outcomes (components/outcomes.py); nothing here asks for a component's type. error_page.py draws
the report.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.components.base import Component
from runner.components.calibration import Calibration, Graded, calibration
from runner.components.outcomes import RIGHT, Chance, Outcome
from runner.components.pipeline import Pipeline
from runner.components.scores import PerType
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import n_words
from runner.inspect.curves import Point as CurvePoint
from runner.inspect.curves import precision_recall

LABEL, SEEN, WORDS, CONFIDENCE = "label", "in training", "words", "confidence"  # groups that are counted for all
_CONFIDENT = ((0.5, "below .5"), (0.7, ".5 to .7"), (0.9, ".7 to .9"), (0.99, ".9 to .99"), (2.0, ".99 and more"))
_FEW = 10  # a group of fewer outcomes is not among the worst

Pair = tuple[str | None, str | None]  # gold label, predicted label; None: nothing


@dataclass
class Text:
    """A text in which at least one component errs. outcomes: component → all of its outcomes there."""

    position: int  # among the texts examined
    place: str
    doc: Doc  # as predicted
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    chances: dict[str, list[Chance]] = field(default_factory=dict)
    n_errors: int = 0
    surest: float = 0.0  # confidence of the most confident error

    def note(self, name: str, outcomes: list[Outcome], chances: list[Chance]) -> None:
        wrong = [outcome for outcome in outcomes if outcome.kind != RIGHT]
        self.outcomes[name], self.chances[name] = outcomes, chances
        self.n_errors += len(wrong)
        self.surest = max([self.surest, *(outcome.confidence or 0.0 for outcome in wrong)])


@dataclass
class WorstGroup:
    """A group with more errors than its size explains."""

    group: str  # "length"
    value: str  # "3 words"
    n: int  # outcomes
    n_wrong: int
    excess: float  # errors beyond those at the component's mean rate


@dataclass
class ComponentErrors:
    """The outcomes of one component, counted. tells: whether it has outcomes at all; else only its scores are known."""

    name: str
    view: str
    tells: bool = True
    scores: dict[str, float | None] = field(default_factory=dict)
    per_label: PerType = field(default_factory=dict)
    n_excluded: int = 0  # gold entities that do not align with the tokens
    kinds: Counter[str] = field(default_factory=Counter)
    confusion: Counter[Pair] = field(default_factory=Counter)
    groups: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)  # group → value → kind → n
    frequent: dict[tuple[str, Pair], Counter[str]] = field(default_factory=dict)  # error → its words
    sure: list[tuple[float, bool]] = field(default_factory=list)  # (confidence, is right) of each prediction
    ranked: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)  # label → (probability, is gold)

    @property
    def n(self) -> int:
        return self.kinds.total()

    @property
    def n_wrong(self) -> int:
        return self.n - self.kinds[RIGHT]

    @property
    def wrong_kinds(self) -> list[str]:
        """The kinds of error that occur, the most frequent first."""
        return [kind for kind, _ in self.kinds.most_common() if kind != RIGHT]

    @property
    def labels(self) -> list[str]:
        """Gold and predicted labels, sorted."""
        return sorted({label for pair in self.confusion for label in pair if label is not None})

    def calibration(self) -> Calibration:
        return calibration(Graded.of(self.sure))

    def precision_recall(self) -> dict[str, list[CurvePoint]]:
        """Label → curve, of the labels that are gold somewhere."""
        curves = {label: precision_recall(pairs) for label, pairs in sorted(self.ranked.items())}
        return {label: points for label, points in curves.items() if points}

    def most_frequent(self, n: int) -> list[tuple[str, Pair, int, list[str]]]:
        """The n most frequent errors: kind, labels, count, and their most frequent words."""
        some = sorted(self.frequent.items(), key=lambda item: (-item[1].total(), str(item[0])))[:n]
        return [(kind, pair, words.total(), [w for w, _ in words.most_common(4)]) for (kind, pair), words in some]

    def worst_groups(self, n: int) -> list[WorstGroup]:
        """The n groups with most errors beyond the mean rate, the worst first; confidence is no group to mend."""
        rate = self.n_wrong / self.n if self.n else 0.0
        worst = []
        for group, values in self.groups.items():
            for value, kinds in values.items():
                total, wrong = kinds.total(), kinds.total() - kinds[RIGHT]
                if group != CONFIDENCE and total >= _FEW and wrong > rate * total:
                    worst.append(WorstGroup(group, value, total, wrong, wrong - rate * total))
        return sorted(worst, key=lambda one: -one.excess)[:n]

    def note(self, outcome: Outcome, groups: Mapping[str, str], doc: Doc) -> None:
        """Count one outcome. groups: group → the value that the outcome falls in."""
        gold, predicted, kind = outcome.gold, outcome.predicted, outcome.kind
        pair = (gold.label if gold else None, predicted.label if predicted else None)
        self.kinds[kind] += 1
        self.confusion[pair] += 1
        for group, value in groups.items():
            self.groups.setdefault(group, {}).setdefault(value, Counter())[kind] += 1
        if predicted is not None and outcome.confidence is not None:
            self.sure.append((outcome.confidence, kind == RIGHT))
        if kind != RIGHT:
            words = doc.words[outcome.place.start : outcome.place.end] if self.view != "text" else []
            self.frequent.setdefault((kind, pair), Counter())[" ".join(words)] += 1


@dataclass
class ErrorReport:
    """n_texts, n_words: that were examined. n_all: texts of the data that those were drawn from. texts: those with errors,
    the worst first."""

    n_all: int
    n_texts: int
    n_words: int
    components: list[ComponentErrors]
    texts: list[Text]


def evenly_drawn(examples: Sequence[Example], most_words: int) -> Sequence[Example]:
    """All examples, or every second, third… one, so that they have about `most_words` tokens at most."""
    every = max(1, -(-int(n_words(examples).sum()) // most_words))
    return examples[::every]


def examine(
    pipeline: Pipeline,
    examples: Sequence[Example],
    train: Sequence[Example] | None = None,
    n_all: int | None = None,
) -> ErrorReport:
    """Predict the examples, which are annotated in place, and count what is wrong.

    train: the training data, from which components know what they have seen; None: unknown. n_all: the number of texts
    that the examples were drawn from; None: these are all.
    """
    docs = [e.predicted.copy_unannotated() if pipeline.changes_tokens else e.predicted for e in examples]
    pipeline.predict(docs, confidence=True)
    if pipeline.changes_tokens:
        examples = [Example(doc, e.reference) for doc, e in zip(docs, examples, strict=True)]
    components = []
    texts = [Text(i, place_of(example, i), example.predicted) for i, example in enumerate(examples)]
    for component, some in pipeline.scored(examples):
        components.append(_counted(pipeline, component, some, texts, train))
    worst = sorted((text for text in texts if text.n_errors), key=lambda text: (-text.n_errors, -text.surest))
    words = sum(len(example.predicted) for example in examples)
    return ErrorReport(len(examples) if n_all is None else n_all, len(examples), words, components, worst)


def _counted(
    pipeline: Pipeline,
    component: Component,
    examples: Sequence[Example],
    texts: Sequence[Text],
    train: Sequence[Example] | None,
) -> ComponentErrors:
    """Count the outcomes of one component, and note them in the texts."""
    counted = ComponentErrors(component.name, component.outcome_view)
    counted.scores, counted.per_label = component.score(examples)
    if "entities" in (component.annotation or ()):
        counted.n_excluded = sum(example.excluded_ents for example in examples)
    seen = component.facts(train).spans if train is not None else Counter[str]()
    ranked: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for example, text in zip(examples, texts, strict=True):
        outcomes = component.outcomes(example)
        if outcomes is None:
            counted.tells = False
            break
        chances = component.chances(example)
        for label, probability, is_gold in chances:
            ranked[label].append((probability, is_gold))
        known = _known_words(pipeline, example.predicted) if component.outcome_view != "text" else None
        for outcome in outcomes:
            counted.note(outcome, dict(_groups(outcome, example.predicted, known, seen)), example.predicted)
        text.note(component.name, outcomes, chances)
    counted.ranked = dict(ranked)
    return counted


def _groups(
    outcome: Outcome, doc: Doc, known: Sequence[bool] | None, seen: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what an outcome is counted by: the groups of all components, and the component's own."""
    place = outcome.place
    yield LABEL, place.label
    if seen:
        surface = " ".join(" ".join(doc.words[place.start : place.end]).lower().split())
        yield SEEN, "seen" if surface in seen else "unseen"
    if known is not None:
        yield WORDS, "known" if all(known[place.start : place.end]) else "with a word not in training"
    yield from outcome.groups.items()
    if outcome.confidence is not None and outcome.predicted is not None:
        yield CONFIDENCE, next(name for high, name in _CONFIDENT if outcome.confidence < high)


def _known_words(pipeline: Pipeline, doc: Doc) -> list[bool]:
    """For each token, whether training has met the word, in any case."""
    lexemes = pipeline.lexemes.table
    return [n > 0 for n in lexemes.counts(lexemes.rows([doc])).tolist()]
