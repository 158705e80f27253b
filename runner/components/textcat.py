"""Text classification: the probability of each category of a whole text.

    exclusive       one category per text: probabilities add up to 1; a label missing from a gold annotation is 0
    not exclusive   any number of categories: each label is separate; a label missing from a gold annotation is unknown

The architecture is a nested block (model/classifiers.py). Token vectors are computed only if the architecture reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.components.advice import Advice, Size, between
from runner.components.base import Component, Likelihood, PerType
from runner.components.beliefs import Beliefs, Lesson, mixed, rows_for, spread
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.decisions import Decisions
from runner.components.facts import Facts, Flaw
from runner.components.inputs import Batch
from runner.components.outcomes import Chance, Outcome, View
from runner.components.pseudo_labels import Rule, Written, fill_cats
from runner.components.scores import Scores
from runner.components.textcat_scores import (
    Threshold,
    cats,
    cats_chances,
    cats_counts,
    cats_decisions,
    cats_outcomes,
    graded_cats,
)
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.token_layers import confidence_record, set_confidence
from runner.errors import RunnerError
from runner.model import losses
from runner.model.classifiers import Architecture, Texts, ensemble
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d
from runner.model.ngrams import Keys

ATTRIBUTE = "norm"  # the lexeme attribute that n-grams are made of
_SLACK = 1e-4  # tolerance for gold probabilities that were rounded to a few decimals


@registry.components("textcat")
def textcat(
    name: str,
    tok2vec: registry.Tok2VecBlock | None = None,
    architecture: registry.ClassifierBlock | None = None,
    *,
    exclusive: bool = True,
    threshold: float | dict[str, float] | None = None,
    dropout: registry.Schedule | None = None,
) -> TextCategorizer:
    """A text classifier.

    architecture: bag_of_ngrams, cnn or ensemble (null: ensemble); bag_of_ngrams ignores the tok2vec. exclusive: each
    text has one category. threshold: the scores count a label as predicted from this probability on; null: 0 if
    exclusive, so that the most probable label counts, else 0.5; a mapping gives labels their own. dropout: this
    component's rate; null: the run's rate.
    """
    chosen = architecture if architecture is not None else ensemble()
    assert isinstance(chosen, Architecture)
    for value in threshold.values() if isinstance(threshold, dict) else [threshold]:
        if value is not None and not 0 <= value <= 1:
            raise RunnerError(f"threshold is {value}; it must be from 0 to 1")
    if chosen.needs_vectors and tok2vec is None:
        raise RunnerError(
            "this architecture reads token vectors, and there is no tok2vec", hint="Give tok2vec a block."
        )
    component = TextCategorizer(
        name, tok2vec if chosen.needs_vectors else None, chosen, exclusive=exclusive, threshold=threshold
    )
    component.dropout = dropout
    return component


class TextCategorizer(Component):
    """Words, and token vectors if needed → architecture → softmax or sigmoids."""

    type = "textcat"
    heading = "Cats"
    columns: ClassVar = {
        "cats_macro_p": "Cats P",
        "cats_macro_r": "Cats R",
        "cats_macro_f": "Cats F",
        "cats_macro_auc": "AUC",
    }
    max_batch_size: ClassVar = 64
    adjustable: ClassVar = ("dropout", "threshold")
    scores_unpredicted: ClassVar = True
    annotation: ClassVar = ("cats",)
    outcome_view: ClassVar[View] = "text"
    score_weights: ClassVar = {"cats_score": 1.0}

    def __init__(
        self,
        name: str,
        build_tok2vec: object | None,
        architecture: Architecture,
        *,
        exclusive: bool = True,
        threshold: Threshold = None,
    ) -> None:
        super().__init__(name, build_tok2vec)
        self.architecture = architecture
        self.exclusive = exclusive
        self.threshold = threshold

    def advice(self, size: Size) -> Advice:
        texts = between(2, size.examples / 60, 32)
        batch_words = round(texts * size.words_each)
        learn_rate = 0.002 if self.architecture.needs_vectors else 0.003
        epochs = between(8, 1500 / max(size.words_each, 1), 15)  # long texts say enough in few passes
        # A pair of words must be seen in several texts before it tells more than the two words.
        max_order = 2 if size.words >= 100_000 and size.examples >= 1000 else 1
        return Advice(learn_rate, (0.3, 0.3), batch_words, epochs, width=64, depth=2, max_order=max_order)

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        return sorted({label for example in examples for label in example.reference.cats or ()})

    def flaws(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        """Report categories with the same value in all texts. Raises RunnerError if a text's values exceed 1 in sum."""
        return self._flaws_exclusive(examples) if self.exclusive else self._flaws_independent(examples)

    def _flaws_exclusive(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        key = f"pipeline.components.{self.name}.exclusive"
        if len(self.labels) == 1:
            label = self.labels[0]
            fact = f"{self.name!r} chooses one category for each text, and the training data has only {label!r}"
            text = json.dumps({"cats": {label: 0}}, ensure_ascii=False)
            yield Flaw(
                fact, f"Add texts of a second category; or texts that are not {label!r} ({text}), and {key}=false."
            )
            return
        first: NDArray[np.float32] | None = None
        for example in examples:
            gold = self._gold(example)
            if first is not None and gold.any() and (gold != first).any():
                return
            first = gold if first is None and gold.any() else first
        if first is None:
            yield Flaw(
                f"no text of the training data is of any category of {self.name!r}", "Give each text one, with 1."
            )
            return
        fact = f"every text of the training data is of the same category, {self.labels[int(first.argmax())]!r}"
        yield Flaw(f"{fact}, so {self.name!r} learns nothing", "Add texts of other categories.")

    def _flaws_independent(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        seen: dict[str, float] = {}  # label → its first value
        varied: set[str] = set()
        for example in examples:
            for label, value in (example.reference.cats or {}).items():
                if label not in varied and seen.setdefault(label, value) != value:
                    varied.add(label)
            if len(varied) == len(self.labels):
                return
        same = [label for label in self.labels if label not in varied]
        lacking = json.dumps({"cats": dict.fromkeys(same[:2], 0)}, ensure_ascii=False)
        hint = (
            f"A label is learned from texts that have it and texts that lack it. Name those it lacks with 0: {lacking}"
        )
        if not varied:
            fact = "every label has the same value in all texts of the training data"
            if all(seen.values()) or not any(seen.values()):
                fact = f"no text of the training data {'lacks' if any(seen.values()) else 'has'} a label"
            if len(same) > 1:
                hint += f"; or, where each text is of one category, set pipeline.components.{self.name}.exclusive=true"
            yield Flaw(f"{fact}, so {self.name!r} learns nothing", f"{hint}.")
            return
        for fact, labels in (("lacks", [x for x in same if seen[x]]), ("has", [x for x in same if not seen[x]])):
            if labels:
                names = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
                yield Flaw(
                    f"no text of the training data {fact} {names}: nothing is learned of it", f"{hint}.", is_fatal=False
                )

    def facts(self, examples: Sequence[Example]) -> Facts:
        """Count docs by category (value at least 0.5), and docs with no category or several."""
        facts = Facts("texts", n_docs=len(examples))
        for i, example in enumerate(examples):
            cats = example.reference.cats
            if not cats:
                continue
            facts.n_annotated += 1
            held = [label for label, value in cats.items() if value >= 0.5]
            facts.labels.update(dict.fromkeys(cats, 0))
            facts.labels.update(held)
            if len(held) != 1:
                some = "several categories" if held else "no category"
                facts.fault(f"docs of {some}", f"texts of {some}", "n_docs").add(place_of(example, i))
        facts.n_values = facts.labels.total()
        return facts

    def doubts(self, example: Example) -> Iterator[tuple[object, str]]:
        """If exclusive, report an example that teaches nothing: only one label exists, or no category holds."""
        if not self.exclusive or not example.reference.cats:
            return
        if len(self.labels) == 1:
            yield (
                (self.name, "one label"),
                f"{self.labels[0]!r} is the only category of {self.name}, which chooses one of several; nothing is "
                f"learned until there is another. Name all categories, or set exclusive=False",
            )
        elif not any(example.reference.cats.values()):
            text = f"none of its categories holds, which teaches {self.name} nothing: it is exclusive"
            yield (self.name, example.predicted.text), text

    def build_head(self, width: int, dropout: Dropout) -> Model[Texts, NDArray[np.float32]]:
        return self.architecture.build(self.name, len(self.labels), width, dropout)

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        assert self.head is not None
        gold = np.stack([self._gold(example) for example in examples], axis=1)  # (n_labels, n_docs)
        n_annotated = int((gold.any(axis=0) if self.exclusive else ~np.isnan(gold).all(axis=0)).sum())
        if not n_annotated:
            return 0.0, None
        parts, backprop = self.head.begin_update(self._texts(batch))  # (n_parts, n_labels, n_docs)
        Y = parts.cumsum(axis=0)  # each part learns what the parts before it leave unexplained
        loss, dY = (losses.categorical_cross_entropy if self.exclusive else losses.binary_cross_entropy)(Y, gold)
        dY /= dY.dtype.type(n_annotated)
        return loss, backprop(dY)

    def beliefs(self, batch: Batch) -> Floats2d:
        """The probability of each category: (n_labels, n_docs)."""
        assert self.head is not None
        Y = self.head.predict(self._texts(batch)).sum(axis=0)
        return losses.softmax(Y) if self.exclusive else losses.sigmoid(Y)

    def unlike(self, teacher: Component) -> str | None:
        exclusive = getattr(teacher, "exclusive", self.exclusive)
        if exclusive != self.exclusive:
            return f"exclusive={str(exclusive).lower()} there, {str(self.exclusive).lower()} here"
        return super().unlike(teacher)

    def learn_from(self, batch: Batch, examples: Sequence[Example], beliefs: Beliefs) -> Lesson:
        """A text without a gold category has the teacher's; one whose categories the teacher knows, a mixture."""
        assert self.head is not None
        gold = np.stack([self._gold(example) for example in examples], axis=1)  # (n_labels, n_docs)
        parts, backprop = self.head.begin_update(self._texts(batch))  # (n_parts, n_labels, n_docs)
        Y = parts.cumsum(axis=0)
        places = rows_for(beliefs.labels, self.label_rows)
        theirs = spread(beliefs.P, places, len(self.labels))
        is_theirs = np.isin(np.arange(len(self.labels)), places)
        if self.exclusive:
            is_gold = np.asarray(gold.any(axis=0))
            theirs = theirs / np.maximum(theirs.sum(axis=0), 1e-12)
            held_by_new = gold[~is_theirs].sum(axis=0) > 0
            target = np.where(is_gold & held_by_new, gold, mixed(gold, theirs, beliefs.weight))
            target = np.where(is_gold, target, theirs)
            loss, dY = losses.categorical_cross_entropy(Y, target)
            part = np.where(held_by_new, 1.0, 1 - beliefs.weight)  # of a doc's target that is gold
            learned, _ = losses.categorical_cross_entropy(Y, gold * part)
        else:
            is_known = ~np.isnan(gold)
            target = np.where(
                is_known,
                np.where(is_theirs[:, None], mixed(np.nan_to_num(gold), theirs, beliefs.weight), gold),
                np.where(is_theirs[:, None], theirs, np.nan),
            )
            loss, dY = losses.binary_cross_entropy(Y, target)
            shared, alone = (np.where(rows[:, None], gold, np.nan) for rows in (is_theirs, ~is_theirs))
            learned, more = (losses.binary_cross_entropy(Y, one)[0] for one in (shared, alone))
            learned = (1 - beliefs.weight) * learned + more
        dY /= dY.dtype.type(max(len(examples), 1))
        return Lesson(learned, loss - learned, backprop(dY))

    def _texts(self, batch: Batch) -> Texts:
        return Texts(Keys(batch.lexemes.hashes(ATTRIBUTE, batch.rows), batch.layout), batch.vectors)

    def _gold(self, example: Example) -> NDArray[np.float32]:
        """The gold value of each label; unknown labels are 0 if exclusive, else NaN. The array is cached in the example."""
        n_labels = len(self.labels)
        cached = example.targets.get(self.name)
        if cached is None or cached[0] != n_labels:
            known = example.reference.cats or {}
            values = [known.get(label, 0.0 if self.exclusive else np.nan) for label in self.labels]
            gold = np.array(values, dtype="float32")
            if self.exclusive:
                total = float(gold.sum())
                if total > 1 + _SLACK:
                    raise RunnerError(
                        f"the values of the categories add up to {total:.4g}, and {self.name!r} is exclusive",
                        place=example.reference.source,
                        hint=f"Set pipeline.components.{self.name}.exclusive=false where a text can be of several categories.",
                    )
                gold /= np.float32(total or 1.0)
            cached = (n_labels, gold)
            example.targets[self.name] = cached
        return cached[1]

    def annotate(self, batch: Batch) -> None:
        assert self.head is not None
        Y = self.head.predict(self._texts(batch)).sum(axis=0)  # (n_labels, n_docs)
        self.check_finite(Y)
        P = losses.softmax(Y) if self.exclusive else losses.sigmoid(Y)
        for doc, values in zip(batch.docs, P.T.tolist(), strict=True):
            doc.cats = dict(zip(self.labels, values, strict=True))
        if batch.temperature is not None:
            cooled = Y.astype("float64") / batch.temperature
            P = losses.softmax(cooled) if self.exclusive else losses.sigmoid(cooled)
            for doc, values in zip(batch.docs, P.T.tolist(), strict=True):
                set_confidence(doc, "cats", dict(zip(self.labels, values, strict=True)))

    def pseudo_label(self, batch: Batch, references: Sequence[Doc], rule: Rule) -> Iterator[Written]:
        """If exclusive, the category of a text that has none; else each category that is unknown, whether it holds or not."""
        self.annotate(batch)
        for doc, reference in zip(batch.docs, references, strict=True):
            sure = (doc.confidence or {}).get("cats")
            assert isinstance(sure, Mapping)
            if self.exclusive:
                best = max(sure, key=sure.__getitem__, default="")
                is_sure = bool(sure) and sure[best] >= rule.minimum and not reference.cats
                cats = {label: float(label == best) for label in sure if is_sure}
            else:
                cats = {label: float(p >= 0.5) for label, p in sure.items() if max(p, 1 - p) >= rule.minimum}
            yield Written(fill_cats(reference, cats))

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """`cats`: label → probability; if asked, `cat_confidence`: the same at the component's temperature."""
        return {"cats": dict(doc.cats or {}), **confidence_record(doc, cat_confidence="cats")}

    def drop_unsure(self, doc: Doc, minimum: float) -> None:
        """Drop the categories below the minimum."""
        known = (doc.confidence or {}).get("cats")
        if isinstance(known, Mapping) and doc.cats is not None:
            kept = {label: value for label, value in known.items() if value >= minimum}
            doc.cats = {label: value for label, value in doc.cats.items() if label in kept}
            set_confidence(doc, "cats", kept)

    def graded(self, examples: Sequence[Example]) -> dict[str, Graded]:
        """ "cats": see `graded_cats`."""
        return {"cats": graded_cats(examples, exclusive=self.exclusive)}

    def likelihood(self, batch: Batch, examples: Sequence[Example]) -> Likelihood | None:
        assert self.head is not None
        gold = np.stack([self._gold(example) for example in examples], axis=1)  # (n_labels, n_docs)
        if not (gold.any() if self.exclusive else (~np.isnan(gold)).any()):
            return None
        Y = self.head.predict(self._texts(batch)).sum(axis=0, keepdims=True)  # (1, n_labels, n_docs)
        loss = losses.categorical_cross_entropy if self.exclusive else losses.binary_cross_entropy
        return lambda temperature: loss(Y / temperature, gold)[0]

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        return cats(exclusive=self.exclusive, threshold=self.threshold)(examples)

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        return cats_counts(examples, exclusive=self.exclusive, threshold=self.threshold)

    def decisions(self, examples: Sequence[Example]) -> Decisions | None:
        return cats_decisions(examples, exclusive=self.exclusive, threshold=self.threshold)

    def set_threshold(self, threshold: float | Mapping[str, float]) -> dict[str, Any]:
        self.threshold = threshold
        return {"threshold": dict(threshold) if isinstance(threshold, Mapping) else threshold}

    def outcomes(self, example: Example) -> list[Outcome] | None:
        return cats_outcomes(example, exclusive=self.exclusive, threshold=self.threshold)

    def chances(self, example: Example) -> list[Chance]:
        return cats_chances(example, exclusive=self.exclusive)
