"""Dependency parsing: heads, labels and sentence starts, by a graph-based parser (model/parse.py, model/trees.py).

The parser takes any tree: projective or not, with one root or several per doc, and any set of labels. The label `-` means
"no relation": the parser learns and predicts `-` like any other label, and the scores leave `-` out.

Scoring every pair of tokens costs the square of the text's length. So docs of more than `max_length` tokens are parsed
sentence by sentence (corpus/pieces.py); shorter docs are parsed whole, even if they hold several sentences. Token vectors
are always computed on the whole doc. In training, pieces are as long as possible and no gold arc crosses a piece's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

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
from runner.components.outcomes import Outcome, View
from runner.components.parser_lessons import Question, TreeBeliefs, soft_arc_loss
from runner.components.parser_pieces import MAX_LENGTH, Group, cut, groups, tree_lengths
from runner.components.parser_scores import arc_outcomes, count_arcs, deps, graded_arcs
from runner.components.scores import Scores
from runner.components.tree_faults import FAULTS, faults
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import hash64
from runner.corpus.token_layers import confidence_record, set_confidence
from runner.errors import RunnerError
from runner.model import losses
from runner.model.biaffine import Arcs, all_head_probabilities, arc_loss, head_probabilities
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d
from runner.model.parse import KINDS, Parse, ParserShape, parser_head, parses
from runner.model.trees import starts_in

MAX_DEPTH = 64  # recurrent layers
TAG_CLASSES = 128  # classes of the auxiliary loss; a tag's class is its hash, so the model stores no tags


LONG_SENTENCE = 500  # words; from this length on the n² arc scores slow parsing down

Ints = NDArray[np.intp]


class Gold(NamedTuple):
    """The gold values of an example for each predicted token; -1: unknown."""

    heads: Ints  # (n_tokens,) positions in the doc
    labels: Ints  # (n_tokens,) rows of `labels`
    tags: Ints  # (n_tokens,) classes


@lru_cache(maxsize=4096)
def _tag_class(tag: str) -> int:
    return hash64(tag) % TAG_CLASSES


@registry.components("parser")
def parser(
    name: str,
    tok2vec: registry.Tok2VecBlock,
    rnn: str = "lstm",
    rnn_width: int = 128,
    rnn_depth: int = 1,
    arc_width: int = 128,
    label_width: int = 64,
    maxout_pieces: int = 2,
    tag_loss: float = 0.5,
    *,
    single_root: bool = False,
    ignore_punct: bool = True,
    max_length: int = 1000,
    dropout: registry.Schedule | None = None,
) -> DependencyParser:
    """A dependency parser.

    rnn: "lstm" or "qrnn", bidirectional. rnn_width: units per direction. rnn_depth: recurrent layers between token vectors
    and scores (0: none). arc_width, label_width, maxout_pieces: sizes of the scorers' hidden layers. tag_loss: weight of
    an auxiliary loss for predicting the examples' fine tags (0: no such loss). single_root: predict exactly one root per
    doc, or per piece of a cut doc. ignore_punct: leave punctuation out of UAS and LAS; false: count as the CoNLL 2018
    evaluation does. max_length: tokens parsed at once; longer docs are parsed sentence by sentence. dropout: this
    component's rate; null: the run's rate.
    """
    for key, value, low in (
        ("rnn_width", rnn_width, 1), ("rnn_depth", rnn_depth, 0), ("arc_width", arc_width, 1),
        ("label_width", label_width, 1), ("maxout_pieces", maxout_pieces, 1), ("tag_loss", tag_loss, 0),
    ):  # fmt: skip
        if value < low:
            raise RunnerError(f"{key} is {value}; it must be at least {low}")
    if rnn_depth > MAX_DEPTH:
        raise RunnerError(f"rnn_depth is {rnn_depth}; it must be at most {MAX_DEPTH}")
    if not 2 <= max_length <= MAX_LENGTH:
        raise RunnerError(f"max_length is {max_length}; it must be from 2 to {MAX_LENGTH}")
    if rnn not in KINDS:
        raise RunnerError(f"rnn is {rnn!r:.40}; it must be {' or '.join(KINDS)}")
    shape = ParserShape(rnn, rnn_width, rnn_depth, arc_width, label_width, maxout_pieces, single_root)
    component = DependencyParser(
        name, tok2vec, shape, tag_loss=tag_loss, ignore_punct=ignore_punct, max_length=max_length
    )
    component.dropout = dropout
    return component


class DependencyParser(Component):
    """tok2vec → BiLSTM or QRNN → biaffine arcs and labels → best trees."""

    type = "parser"
    heading = "Dep"
    columns: ClassVar = {"dep_uas": "UAS", "dep_las": "LAS", "sents_f": "Sents F"}
    max_batch_size: ClassVar = 16
    docs_at_once: ClassVar = 16
    adjustable: ClassVar = ("dropout", "single_root", "ignore_punct", "max_length")
    scores_unpredicted: ClassVar = True
    annotation: ClassVar = ("heads", "deps")
    outcome_view: ClassVar[View] = "arcs"
    score_weights: ClassVar = {"dep_uas": 0.5, "dep_las": 0.5}

    def __init__(
        self,
        name: str,
        build_tok2vec: object,
        shape: ParserShape,
        *,
        tag_loss: float,
        ignore_punct: bool,
        max_length: int,
    ) -> None:
        super().__init__(name, build_tok2vec)
        self.tag_loss = tag_loss
        self.ignore_punct = ignore_punct
        self.max_length = max_length
        self.shape = shape

    def advice(self, size: Size) -> Advice:
        batch_words = between(40, size.words / 50, 600)
        epochs = between(12, 25 * 600 / batch_words, 30)
        return Advice(learn_rate=0.004, dropout=(0.2, 0.2), batch_words=batch_words, epochs=epochs)

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        return sorted({label for example in examples for label in example.reference.deps or () if label})

    def flaws(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        """Report training data in which no word hangs from another word."""
        heads = (enumerate(example.reference.heads or ()) for example in examples)
        if not any(head is not None and head != i for doc in heads for i, head in doc):
            fact = f"every word of the training data is a root, so {self.name!r} learns nothing"
            yield Flaw(
                fact, "A parser needs words that hang from other words. Were heads read from the right column or key?"
            )

    def facts(self, examples: Sequence[Example]) -> Facts:
        """Count arcs by label, and docs with faulty trees (see FAULTS)."""
        facts, longest = Facts("arcs", n_docs=len(examples)), 0
        for i, example in enumerate(examples):
            doc, place = example.reference, place_of(example, i)
            longest = max(longest, *map(len, doc.sents), 0)
            heads = doc.heads or ()
            if all(head is None for head in heads):
                continue
            facts.n_annotated += 1
            facts.labels.update(label for label in doc.deps or () if label)
            facts.n_values += sum(head is not None for head in heads)
            for name, n in faults(heads, len(doc.sents)):
                facts.fault(name, *FAULTS[name][:2], is_harmless=FAULTS[name][2]).add(place, n)
        if longest > LONG_SENTENCE:
            hint = (
                "Memory and time grow with its length. Is it one sentence? Mark where sentences start, or cut the text."
            )
            facts.remarks.append(Flaw(f"the longest sentence has {longest:,} words", hint, is_fatal=False))
        return facts

    def build_head(self, width: int, dropout: Dropout) -> Model[Any, Parse]:
        return parser_head(
            self.name,
            self.shape,
            nI=width,
            n_labels=len(self.labels),
            n_tags=TAG_CLASSES if self.tag_loss else 0,
            dropout=dropout,
        )

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        assert self.head is not None
        assert batch.vectors is not None
        golds = [self._gold(example) for example in examples]
        heads, labels, tags = (np.concatenate(values) for values in zip(*golds, strict=True))
        n_known = int((heads >= 0).sum())
        if not n_known:
            return 0.0, None
        parts = groups(batch.vectors, self.max_length, lambda doc: self._pieces(examples[doc], golds[doc].heads))
        results = [self._learn(group, heads, labels, tags, n_known) for group in parts]
        return sum(loss for loss, _ in results), _joined([dX for _, dX in results])

    def _learn(self, group: Group, heads: Ints, labels: Ints, tags: Ints, n_known: int) -> tuple[float, Floats2d]:
        """The loss of a group and the gradient of the group's vectors. heads, labels, tags: gold of the whole batch."""
        assert self.head is not None
        heads, labels, tags = group.in_pieces(heads), labels[group.columns], tags[group.columns]
        parse, backprop = self.head.begin_update((group.vectors, heads))
        loss, d_arcs = arc_loss(parse.arcs, heads)
        label_loss, d_labels = losses.cross_entropy(parse.labels, np.where(heads >= 0, labels, -1))
        scale = group.vectors.X.dtype.type(1 / n_known)
        for gradient in (*d_arcs, d_labels):
            gradient *= scale
        return loss + label_loss, backprop(d_arcs, d_labels, self._tag_gradient(parse, tags, scale))

    def question(self, examples: Sequence[Example]) -> Question:
        """The gold heads, and where this parser cuts docs that are too long for it."""
        golds = [self._gold(example).heads for example in examples]
        asked = Question.without_gold([example.predicted for example in examples], self.max_length)
        for doc in asked.pieces:
            if (golds[doc] >= 0).any():
                asked.pieces[doc] = self._pieces(examples[doc], golds[doc])
        return asked._replace(heads=np.concatenate(golds))

    def beliefs(self, batch: Batch) -> Iterator[TreeBeliefs]:
        """Distributions over heads, and over labels given one head, of each group of pieces; computed as they are asked for."""
        assert self.head is not None
        assert batch.vectors is not None
        asked: Question = batch.question or Question.without_gold(batch.docs, self.max_length)
        for group in groups(batch.vectors, asked.max_length, asked.pieces.__getitem__):
            parse = self.head.predict((group.vectors, group.in_pieces(asked.heads)))
            yield TreeBeliefs(parse.heads, all_head_probabilities(parse.arcs), losses.softmax(parse.labels))

    def learn_from(self, batch: Batch, examples: Sequence[Example], beliefs: Beliefs) -> Lesson:
        """A word without gold head has the teacher's distributions; gold heads, and labels that the teacher knows, a mixture."""
        assert batch.vectors is not None
        asked = self.question(examples)
        gold = Gold(*(np.concatenate(values) for values in zip(*map(self._gold, examples), strict=True)))
        parts = groups(batch.vectors, asked.max_length, asked.pieces.__getitem__)
        lessons = [
            self._learn_from(group, gold, believed, beliefs) for group, believed in zip(parts, beliefs.P, strict=True)
        ]
        learned, taught, gradients = zip(*lessons, strict=True)
        return Lesson(sum(learned), sum(taught), _joined(gradients))

    def _learn_from(self, group: Group, gold: Gold, believed: TreeBeliefs, beliefs: Beliefs) -> Lesson:
        """The lesson of one group. gold: of the whole batch."""
        assert self.head is not None
        heads, labels, tags = group.in_pieces(gold.heads), gold.labels[group.columns], gold.tags[group.columns]
        labels = np.where(heads >= 0, labels, -1)
        parse, backprop = self.head.begin_update((group.vectors, believed.heads))
        learned, taught, d_arcs = soft_arc_loss(parse.arcs, believed.arcs, heads, beliefs.weight)
        own = losses.softmax(parse.labels)
        target, share = class_targets(labels, own, replace(beliefs, P=believed.labels), self.label_rows)
        more_learned, more_taught = losses_apart(target, own, labels, share)
        d_labels = own - target.astype(own.dtype)
        scale = own.dtype.type(1 / max(len(gold.heads), 1))
        for gradient in (*d_arcs, d_labels):
            gradient *= scale
        dX = backprop(d_arcs, d_labels, self._tag_gradient(parse, tags, scale))
        return Lesson(learned + more_learned, taught + more_taught, dX)

    def _tag_gradient(self, parse: Parse, tags: Ints, scale: np.floating[Any]) -> Floats2d | None:
        """The gradient of the auxiliary loss; None if no tag is known."""
        if parse.tags is None or not (tags >= 0).any():
            return None
        _, d_tags = losses.cross_entropy(parse.tags, tags)
        d_tags *= scale * self.tag_loss
        return d_tags

    def _pieces(self, example: Example, heads: Ints) -> list[int]:
        return tree_lengths(self.name, example, heads, self.max_length)

    def _gold(self, example: Example) -> Gold:
        """The example's gold values under the current labels, cached in the example."""
        cached = example.targets.get(self.name)
        if cached is None or cached[0] != self.labels:
            rows = self.label_rows
            heads = [-1 if head is None else head for head in example.aligned_heads()]
            labels = [-1 if not label else rows[label] for label in example.aligned_deps()]
            tags = [-1 if not tag else _tag_class(tag) for tag in example.aligned_tags()]
            gold = Gold(*(np.array(values, dtype="intp") for values in (heads, labels, tags)))
            cached = (list(self.labels), gold)
            example.targets[self.name] = cached
        return cached[1]

    def annotate(self, batch: Batch) -> None:
        assert self.head is not None
        assert batch.vectors is not None
        vectors, begins = cut(batch.vectors.X, batch.docs, self.max_length)
        heads, labels = (np.empty(batch.layout.n_tokens, dtype="intp") for _ in range(2))
        P = np.ones((2, batch.layout.n_tokens))  # of heads and labels
        for at, parse in parses(self.head, vectors):
            for scores in (*parse.arcs.scores, parse.labels):
                self.check_finite(scores)
            heads[at] = parse.heads
            labels[at] = parse.labels.argmax(axis=0) if self.labels else 0
            if batch.temperature is not None:
                P[0, at] = head_probabilities(parse.arcs, parse.heads, batch.temperature)
                if self.labels:
                    P[1, at] = losses.best_probability(parse.labels, batch.temperature)
        heads += begins
        starts = starts_in(heads, batch.layout)
        names = self.labels or [""]
        for start, doc in zip(batch.layout.starts.tolist(), batch.docs, strict=True):
            end = start + len(doc)
            doc.heads = heads[start:end].tolist()
            doc.deps = [names[i] for i in labels[start:end].tolist()]
            doc.sent_starts = starts[start:end].tolist()
            if batch.temperature is not None:
                set_confidence(doc, "heads", P[0, start:end].tolist())
                set_confidence(doc, "deps", P[1, start:end].tolist())

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """`heads` (positions of words), `deps` and `sent_starts`, each with one value per word; if asked,
        `head_confidence` and `dep_confidence`.
        """
        record = {"words": doc.words, "heads": doc.heads, "deps": doc.deps, "sent_starts": doc.sent_starts}
        return {**record, **confidence_record(doc, head_confidence="heads", dep_confidence="deps")}

    def graded(self, examples: Sequence[Example]) -> dict[str, Graded]:
        """ "heads" and "deps": see `graded_arcs`."""
        return graded_arcs(examples, ignore_punct=self.ignore_punct)

    def likelihood(self, batch: Batch, examples: Sequence[Example]) -> Likelihood | None:
        """Of the gold heads, and of the gold labels for these heads. A label that the model does not know is left out."""
        assert self.head is not None
        assert batch.vectors is not None
        rows = self.label_rows
        per_doc = [[-1 if head is None else head for head in example.aligned_heads()] for example in examples]
        heads = np.array([head for doc in per_doc for head in doc], dtype="intp")
        labels = np.array(
            [rows.get(dep or "", -1) for example in examples for dep in example.aligned_deps()], dtype="intp"
        )
        if not (heads >= 0).any():
            return None
        parts = []

        def pieces(doc: int) -> list[int]:
            return self._pieces(examples[doc], np.array(per_doc[doc], dtype="intp"))

        for group in groups(batch.vectors, self.max_length, pieces):
            here = group.in_pieces(heads)
            parse = self.head.predict((group.vectors, here))
            parts.append((parse.arcs, here, parse.labels, np.where(here >= 0, labels[group.columns], -1)))

        def loss(temperature: float) -> float:
            total = 0.0
            for arcs, gold_heads, scores, gold_labels in parts:
                total += arc_loss(Arcs(arcs.buckets, [S / temperature for S in arcs.scores]), gold_heads)[0]
                total += losses.cross_entropy(scores / temperature, gold_labels)[0] if self.labels else 0.0
            return total

        return loss

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        return deps(ignore_punct=self.ignore_punct)(examples)

    def outcomes(self, example: Example) -> list[Outcome] | None:
        return arc_outcomes(example, ignore_punct=self.ignore_punct)

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        counts: list[Counts] = []
        for example in examples:
            right, predicted, gold = Counter[str](), Counter[str](), Counter[str]()
            n_attached = count_arcs(example, right, predicted, gold, ignore_punct=self.ignore_punct)
            n_predicted, n_gold = predicted.total(), gold.total()
            counts.append(
                {"dep_uas": (n_attached, n_predicted, n_gold), "dep_las": (right.total(), n_predicted, n_gold)}
            )
        return counts


def _joined(gradients: Sequence[Floats2d]) -> Floats2d:
    """The gradient of a batch's vectors, of its groups' gradients."""
    return gradients[0] if len(gradients) == 1 else np.concatenate(gradients, axis=1)
