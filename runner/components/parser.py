"""Dependency parsing: heads, labels and sentence starts, by a graph-based parser (model/parse.py, model/trees.py).

The parser takes any tree: projective or not, with one root or several per doc, and any set of labels. The label `-` means
"no relation": the parser learns and predicts `-` like any other label, and the scores leave `-` out.

Scoring every pair of tokens costs the square of the text's length. So docs of more than `max_length` tokens are parsed
sentence by sentence (corpus/pieces.py); shorter docs are parsed whole, even if they hold several sentences. Token vectors
are always computed on the whole doc. In training, pieces are as long as possible and no gold arc crosses a piece's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.components.advice import Advice, Size, between
from runner.components.base import Component, Likelihood, PerType
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.facts import Facts, Flaw
from runner.components.inputs import Batch
from runner.components.outcomes import Outcome, View
from runner.components.parser_scores import arc_outcomes, count_arcs, deps, graded_arcs
from runner.components.scores import Scores
from runner.components.tree_faults import FAULTS, faults
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import hash64
from runner.corpus.pieces import piece_lengths, sentence_lengths
from runner.corpus.token_layers import confidence_record, set_confidence
from runner.errors import RunnerError
from runner.model import losses
from runner.model.biaffine import Arcs, arc_loss, head_probabilities
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Layout, Packed
from runner.model.parse import KINDS, Parse, ParserShape, parser_head
from runner.model.trees import sentence_starts

MAX_DEPTH = 64  # recurrent layers
MAX_LENGTH = 10_000  # tokens parsed at once; a training step of this length takes some 2 GB
_WORDS_AT_ONCE = 3000  # words of cut docs parsed together; bounds the memory for arc scores
TAG_CLASSES = 128  # classes of the auxiliary loss; a tag's class is its hash, so the model stores no tags


LONG_SENTENCE = 500  # words; from this length on the n² arc scores slow parsing down

Ints = NDArray[np.intp]


class Gold(NamedTuple):
    """The gold values of an example for each predicted token; -1: unknown."""

    heads: Ints  # (n_tokens,) positions in the doc
    labels: Ints  # (n_tokens,) rows of `labels`
    tags: Ints  # (n_tokens,) classes


class Group(NamedTuple):
    """Columns of a batch that are parsed together, each piece as a separate doc."""

    columns: slice
    vectors: Packed
    begins: Ints | None  # (n_tokens,) the doc position at which each token's piece begins; None: no doc is cut


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
        groups = self._groups(batch.vectors, lambda doc: self._tree_lengths(examples[doc], golds[doc].heads))
        results = [self._learn(group, heads, labels, tags, n_known) for group in groups]
        total = sum(loss for loss, _ in results)
        return total, results[0][1] if len(results) == 1 else np.concatenate([dX for _, dX in results], axis=1)

    def _learn(self, group: Group, heads: Ints, labels: Ints, tags: Ints, n_known: int) -> tuple[float, Floats2d]:
        """The loss of a group and the gradient of the group's vectors. heads, labels, tags: gold of the whole batch."""
        assert self.head is not None
        at = group.columns
        heads, labels, tags = heads[at], labels[at], tags[at]
        if group.begins is not None:
            heads = np.where(heads >= 0, heads - group.begins, -1)
        parse, backprop = self.head.begin_update((group.vectors, heads))
        loss, d_arcs = arc_loss(parse.arcs, heads)
        label_loss, d_labels = losses.cross_entropy(parse.labels, np.where(heads >= 0, labels, -1))
        scale = group.vectors.X.dtype.type(1 / n_known)
        for gradient in (*d_arcs, d_labels):
            gradient *= scale
        d_tags = None
        if parse.tags is not None and (tags >= 0).any():
            _, d_tags = losses.cross_entropy(parse.tags, tags)
            d_tags *= scale * self.tag_loss
        return loss + label_loss, backprop(d_arcs, d_labels, d_tags)

    def _groups(self, vectors: Packed, pieces: Callable[[int], list[int]]) -> Iterator[Group]:
        """Yield the whole batch as one group. If a doc is too long, cut long docs and yield a few pieces at a time.

        pieces: returns the lengths of a doc's pieces, given the doc's index in the batch.
        """
        X, layout = vectors
        if not len(layout.lengths) or layout.lengths.max() <= self.max_length:
            yield Group(slice(None), vectors, None)
            return
        lengths: list[int] = []
        begins: list[int] = []  # doc position of each piece
        for doc, n in enumerate(layout.lengths.tolist()):
            some = pieces(doc) if n > self.max_length else [n]
            lengths += some
            begins += accumulate(some[:-1], initial=0)
        start = first = 0
        for i in range(len(lengths)):
            is_last = i + 1 == len(lengths)
            if is_last or sum(lengths[first : i + 2]) > _WORDS_AT_ONCE:
                here = Layout(lengths[first : i + 1])
                at = slice(start, start + here.n_tokens)
                yield Group(
                    at, Packed(np.ascontiguousarray(X[:, at]), here), np.repeat(begins[first : i + 1], here.lengths)
                )
                start, first = at.stop, i + 1

    def _tree_lengths(self, example: Example, heads: Ints) -> list[int]:
        """Lengths of pieces that no gold arc leaves. Raises RunnerError if a piece would exceed max_length."""
        n = len(heads)
        tokens = np.flatnonzero(heads >= 0)
        low, high = np.minimum(tokens, heads[tokens]), np.maximum(tokens, heads[tokens])
        crossing = np.cumsum(np.bincount(low + 1, minlength=n + 2) - np.bincount(high + 1, minlength=n + 2))
        starts = np.flatnonzero(crossing[:n] == 0)[1:].tolist()
        for begin, end in pairwise([0, *starts, n]):
            if end - begin > self.max_length:
                hint = "It should be several sentences: end them in the data, or leave the text out."
                if end - begin <= MAX_LENGTH:
                    hint = f"End its sentences in the data, or set pipeline.components.{self.name}.max_length={end - begin}."
                raise RunnerError(
                    f"a tree spans {end - begin:,} tokens, from {' '.join(example.predicted.words[begin : begin + 5])!r:.80} on; "
                    f"{self.name!r} takes {self.max_length:,} at once",
                    place=example.reference.source,
                    hint=hint,
                )
        return piece_lengths(n, self.max_length, starts)

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
        heads = np.empty(batch.layout.n_tokens, dtype="intp")
        labels = np.zeros(batch.layout.n_tokens, dtype="intp")
        P = np.ones((2, batch.layout.n_tokens))  # of heads and labels
        for columns, docs, vectors in self._whole_and_cut(batch):
            pieces = [sentence_lengths(doc, self.max_length) for doc in docs if len(doc) > self.max_length]
            for group in self._groups(vectors, pieces.__getitem__):
                at = columns[group.columns]
                parse = self.head.predict((group.vectors, None))
                for scores in (*parse.arcs.scores, parse.labels):
                    self.check_finite(scores)
                heads[at] = parse.heads if group.begins is None else parse.heads + group.begins
                if self.labels:
                    labels[at] = parse.labels.argmax(axis=0)
                if batch.temperature is not None:
                    P[0, at] = head_probabilities(parse.arcs, parse.heads, batch.temperature)
                    if self.labels:
                        P[1, at] = losses.best_probability(parse.labels, batch.temperature)
        names = self.labels or [""]
        for start, doc in zip(batch.layout.starts.tolist(), batch.docs, strict=True):
            end = start + len(doc)
            doc.heads = heads[start:end].tolist()
            doc.deps = [names[i] for i in labels[start:end].tolist()]
            doc.sent_starts = sentence_starts(doc.heads)
            if batch.temperature is not None:
                set_confidence(doc, "heads", P[0, start:end].tolist())
                set_confidence(doc, "deps", P[1, start:end].tolist())

    def _whole_and_cut(self, batch: Batch) -> Iterator[tuple[Ints, list[Doc], Packed]]:
        """Yield (columns, docs, vectors) of the docs that are parsed whole, then of those that are cut into sentences.

        Apart, because the recurrent layers take as many steps as the longest piece of a group has words.
        """
        assert batch.vectors is not None
        X, layout = batch.vectors
        is_cut = layout.lengths > self.max_length
        for some in (~is_cut, is_cut):
            if some.all():
                yield np.arange(layout.n_tokens), list(batch.docs), batch.vectors
            elif some.any():
                columns = np.flatnonzero(np.repeat(some, layout.lengths))
                docs = [doc for doc, is_in in zip(batch.docs, some.tolist(), strict=True) if is_in]
                yield columns, docs, Packed(X.take(columns, axis=1), Layout(layout.lengths[some]))

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
        for group in self._groups(
            batch.vectors, lambda doc: self._tree_lengths(examples[doc], np.array(per_doc[doc], dtype="intp"))
        ):
            here = heads[group.columns]
            if group.begins is not None:
                here = np.where(here >= 0, here - group.begins, -1)
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
