"""Part-of-speech tagging: a softmax over fine tags on the token vectors; a tag map gives their universal tags.

The fine tags (`Doc.tags`) are learned. Universal tags and features are looked up, never learned. With a `tag_map`
the tagger also writes `Doc.pos` and `Doc.meta["feats"]`; without a map the tagger leaves both unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.components.advice import Advice, Size, between
from runner.components.base import Component, Likelihood, PerType
from runner.components.beliefs import Beliefs, Lesson, class_targets, losses_apart
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.facts import Facts, Flaw
from runner.components.inputs import Batch
from runner.components.outcomes import RIGHT, Mark, Outcome
from runner.components.scores import Scores, scored
from runner.components.tag_map import TagMap, read_tag_map
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.token_layers import confidence_record, set_confidence
from runner.model import losses
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Packed
from runner.model.linear import linear

FEATS = "feats"  # key in Doc.meta; the CoNLL-U reader uses the same key


@registry.components("tagger")
def tagger(
    name: str,
    tok2vec: registry.Tok2VecBlock,
    tag_map: str | Mapping[str, Any] | None = None,
    dropout: registry.Schedule | None = None,
) -> Tagger:
    """A tagger.

    tag_map: fine tag → universal tag and features, as a YAML or JSON file, a bundled map's name (en_ptb), or a
    mapping; null: predict fine tags only. dropout: this component's rate; null: the run's rate.
    """
    universal = read_tag_map(tag_map, f"pipeline.components.{name}.tag_map") if tag_map is not None else None
    component = Tagger(name, tok2vec, universal)
    component.dropout = dropout
    return component


class Tagger(Component):
    """tok2vec → softmax over tags."""

    type = "tagger"
    heading = "Tag"
    columns: ClassVar = {"tag_acc": "Tag %"}
    max_batch_size: ClassVar = 32
    scores_unpredicted: ClassVar = True
    annotation: ClassVar = ("tags",)
    score_weights: ClassVar = {"tag_acc": 1.0}

    def __init__(self, name: str, build_tok2vec: object, tag_map: TagMap | None = None) -> None:
        super().__init__(name, build_tok2vec)
        self.tag_map = tag_map

    def add_labels(self, labels: Sequence[str]) -> None:
        """Learn these tags. Raises RunnerError that lists the tags missing from the tag map."""
        if self.tag_map is not None:
            self.tag_map.check(labels)
        super().add_labels(labels)

    def advice(self, size: Size) -> Advice:
        batch_words = between(30, size.words / 60, 600)
        return Advice(learn_rate=0.002, dropout=(0.3, 0.3), batch_words=batch_words, epochs=15)

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        """The gold tags, sorted. Raises RunnerError that lists the tags missing from the tag map."""
        tags = sorted({tag for example in examples for tag in example.reference.tags or () if tag})
        if self.tag_map is not None:
            self.tag_map.check(tags)
        return tags

    def flaws(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        """Report training data in which every word has the same tag."""
        if len(self.labels) == 1:
            fact = f"every tagged word of the training data has the same tag, {self.labels[0]!r}, so {self.name!r} learns nothing"
            yield Flaw(fact, "A tagger needs two tags at least. Were the tags read from the right column or key?")

    def facts(self, examples: Sequence[Example]) -> Facts:
        """Count words by fine tag, and docs in which only some words have a tag."""
        facts = Facts("tagged words", n_docs=len(examples))
        for i, example in enumerate(examples):
            known = [tag for tag in example.reference.tags or () if tag]
            if not known:
                continue
            facts.n_annotated += 1
            facts.labels.update(known)
            if len(known) < len(example.reference):
                name = "docs with a tag for some words only"
                facts.fault(name, "texts with a tag for some words only", "n_docs").add(place_of(example, i))
        facts.n_values = facts.labels.total()
        return facts

    def describe(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """The block with the tag map written out, so that a saved model does not need the map's file."""
        return {**block, "tag_map": self.tag_map.as_block()} if self.tag_map is not None else dict(block)

    def build_head(self, width: int, dropout: Dropout) -> Model[Packed, Floats2d]:
        return linear(f"{self.name}/scores", nO=len(self.labels), nI=width)

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        assert self.head is not None
        gold = np.concatenate([self._gold(example) for example in examples])  # (n_tokens,) labels, -1 unknown
        n_known = int((gold >= 0).sum())
        if not n_known:
            return 0.0, None
        Y, backprop = self.head.begin_update(batch.vectors)
        loss, dY = losses.cross_entropy(Y, gold)
        dY /= Y.dtype.type(n_known)
        return loss, backprop(dY)

    def beliefs(self, batch: Batch) -> Floats2d:
        """The softmax over all tags: (n_labels, n_tokens)."""
        assert self.head is not None
        return losses.softmax(self.head.predict(batch.vectors))

    def learn_from(self, batch: Batch, examples: Sequence[Example], beliefs: Beliefs) -> Lesson:
        """A word without a gold tag has the teacher's distribution; one with a tag that the teacher knows, a mixture."""
        assert self.head is not None
        gold = np.concatenate([self._gold(example) for example in examples])
        Y, backprop = self.head.begin_update(batch.vectors)
        own = losses.softmax(Y)
        target, share = class_targets(gold, own, beliefs, self.label_rows)
        learned, taught = losses_apart(target, own, gold, share)
        n_tokens = Y.dtype.type(max(Y.shape[1], 1))
        return Lesson(learned, taught, backprop((own - target.astype(own.dtype)) / n_tokens))

    def _gold(self, example: Example) -> NDArray[np.int32]:
        """The gold label's row for each predicted token; -1: unknown. The array is cached in the example."""
        n_labels = len(self.labels)
        cached = example.targets.get(self.name)
        if cached is None or cached[0] != n_labels:
            rows = self.label_rows
            known = [rows[tag] if tag else -1 for tag in example.aligned_tags()]
            cached = (n_labels, np.array(known, dtype="int32"))
            example.targets[self.name] = cached
        return cached[1]

    def annotate(self, batch: Batch) -> None:
        assert self.head is not None
        if not self.labels:
            return
        Y = self.head.predict(batch.vectors)
        self.check_finite(Y)
        best = Y.argmax(axis=0).tolist()  # (n_tokens,)
        P = losses.best_probability(Y, batch.temperature).tolist() if batch.temperature is not None else None
        universal = [self.tag_map[label] for label in self.labels] if self.tag_map is not None else []
        for start, doc in zip(batch.layout.starts.tolist(), batch.docs, strict=True):
            rows = best[start : start + len(doc)]
            doc.tags = [self.labels[i] for i in rows]
            if P is not None:
                set_confidence(doc, "tags", P[start : start + len(doc)])
            if universal:
                doc.pos = [universal[i][0] for i in rows]
                doc.meta[FEATS] = [universal[i][1] for i in rows]

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """`tags`, with one value per word; with a tag map also `pos` and `feats`; if asked, `tag_confidence`."""
        record = {"words": doc.words, "tags": doc.tags, **confidence_record(doc, tag_confidence="tags")}
        return {**record, "pos": doc.pos, FEATS: doc.meta.get(FEATS)} if self.tag_map is not None else record

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        """Return tag_acc (with a tag map also pos_acc), and p, r, f and support by tag. See `accuracy`."""
        tag_acc, per_tag = accuracy(examples, "tags")
        scores = {"tag_acc": tag_acc}
        if self.tag_map is not None:
            scores["pos_acc"] = accuracy(examples, "pos")[0]
        return scores, per_tag

    def graded(self, examples: Sequence[Example]) -> dict[str, Graded]:
        """ "tags": the tokens with a gold tag."""
        pairs = []
        for example in examples:
            for token, gold in zip(example.predicted, example.aligned_tags(), strict=True):
                if gold and token.tag_confidence is not None:
                    pairs.append((token.tag_confidence, token.tag_ == gold))
        return {"tags": Graded.of(pairs)}

    def likelihood(self, batch: Batch, examples: Sequence[Example]) -> Likelihood | None:
        assert self.head is not None
        rows = self.label_rows
        gold = np.array(
            [rows.get(tag or "", -1) for example in examples for tag in example.aligned_tags()], dtype="intp"
        )
        if not (gold >= 0).any():
            return None
        Y = self.head.predict(batch.vectors)
        return lambda temperature: losses.cross_entropy(Y / temperature, gold)[0]

    def outcomes(self, example: Example) -> list[Outcome] | None:
        """One outcome for each predicted token whose gold tag is known."""
        outcomes = []
        for token, gold in zip(example.predicted, example.aligned_tags(), strict=True):
            tag, i = token.tag_, token.i
            if gold and tag:
                kind = RIGHT if gold == tag else "wrong tag"
                outcomes.append(Outcome(kind, Mark(i, i + 1, gold), Mark(i, i + 1, tag), token.tag_confidence))
        return outcomes

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        counts: list[Counts] = []
        for example in examples:
            right, predicted, gold = Counter[str](), Counter[str](), Counter[str]()
            count_values(example, "tags", right, predicted, gold)
            counts.append({"tag_acc": (right.total(), predicted.total(), gold.total())})
        return counts


def accuracy(examples: Sequence[Example], attribute: str) -> tuple[float | None, PerType]:
    """The share of tokens whose value is right, and precision, recall, F and support (gold tokens) of each value.

    The share is None if no token has a gold value.

    attribute: "tags" or "pos". If predicted and gold tokens are the same, the share is plain accuracy over the tokens
    with a gold value. If the tokens differ, the share is spaCy's F-score of the pairs (gold token, value). A predicted
    token counts for the gold token that contains it; a token that spans a gold boundary counts for none. A gold token
    without a pair is missed; a gold token cut in two can be right once and wrong once.
    """
    right: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for example in examples:
        count_values(example, attribute, right, predicted, gold)
    per_value = {value: scored(right[value], predicted[value], gold[value]) for value in sorted(gold | predicted)}
    return scored(right.total(), predicted.total(), gold.total())["f"], per_value


def count_values(
    example: Example, attribute: str, right: Counter[str], predicted: Counter[str], gold: Counter[str]
) -> None:
    """Add an example's values to the three counters: right, predicted and gold."""
    expected = getattr(example.reference, attribute)
    if expected is None:
        return
    values = getattr(example.predicted, attribute) or [None] * len(example.predicted)
    if example.is_identical:
        pairs: Iterable[tuple[int, str | None]] = enumerate(values)
    else:
        pairs = {(i, value) for i, value in zip(_containing(example), values, strict=True) if i is not None}
    for i, value in pairs:
        if expected[i] and value:
            predicted[value] += 1
            right[value] += expected[i] == value
    gold.update(value for value in expected if value)


def _containing(example: Example) -> list[int | None]:
    """For each predicted token, the gold token that contains all its characters; None if no gold token does."""
    alignment = example.alignment
    gold_edges, containing = alignment.gold_edges, []
    i = 0
    for start, end in alignment.predicted_edges:  # gold and predicted edges are in text order and skip white space
        while i < len(gold_edges) and gold_edges[i][1] <= start:
            i += 1
        is_inside = start < end and i < len(gold_edges) and end <= gold_edges[i][1]
        containing.append(i if is_inside else None)
    return containing
