"""Named entity recognition: BILUO tags, trained and decoded as a whole sequence (model/crf.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner import registry
from runner.components.advice import Advice, Size, between
from runner.components.base import Candidate, Component, Likelihood, PerType
from runner.components.beliefs import Beliefs, Lesson, gold_share, losses_apart, mixed, rows_for, spread
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.facts import Facts, Flaw
from runner.components.inputs import Batch
from runner.components.ner_facts import has_other_words, oddities, unaligned
from runner.components.outcomes import Mark, Outcome, View, bucket, kind_of_span, paired
from runner.components.pseudo_labels import Rule, Written, fill_entities
from runner.components.scores import Entity, Scores, entities, ents
from runner.corpus.biluo import biluo_to_spans
from runner.corpus.diagnose import place_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.no_labels import unfit_entities
from runner.errors import RunnerError
from runner.model import crf
from runner.model.chain import chain
from runner.model.crf_spans import entity_probabilities, path_probabilities
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Packed
from runner.model.linear import linear_biluo
from runner.model.maxout_window import maxout_window

_SURE = 1e-12  # from 0 and from 1: a logarithm stays finite


@registry.components("ner")
def ner(
    name: str,
    tok2vec: registry.Tok2VecBlock,
    hidden_width: int = 64,
    maxout_pieces: int = 2,
    dropout: registry.Schedule | None = None,
) -> EntityRecognizer:
    """An entity recognizer.

    hidden_width: units of the layer between token vectors and tags (0: no such layer). dropout: this component's rate;
    null: the run's rate.
    """
    if hidden_width < 0 or maxout_pieces < 1:
        raise RunnerError(f"hidden_width {hidden_width} must not be negative, maxout_pieces {maxout_pieces} at least 1")
    component = EntityRecognizer(name, tok2vec, hidden_width, maxout_pieces)
    component.dropout = dropout
    return component


class EntityRecognizer(Component):
    """tok2vec → maxout → BILUO scores → CRF.

    partial_labels: the only labels that the training data annotate; a word in no entity may be of any other label there.
    Empty: they annotate all.
    """

    type = "ner"
    heading = "NER"
    columns: ClassVar = {"ents_p": "NER P", "ents_r": "NER R", "ents_f": "NER F"}
    max_batch_size: ClassVar = 16
    scores_unpredicted: ClassVar = True
    annotation: ClassVar = ("entities",)
    outcome_view: ClassVar[View] = "spans"
    score_weights: ClassVar = {"ents_f": 1.0}

    def __init__(self, name: str, build_tok2vec: object, hidden_width: int, maxout_pieces: int) -> None:
        super().__init__(name, build_tok2vec)
        self.partial_labels: frozenset[str] = frozenset()
        self._annotated: list[frozenset[str]] = []  # labels that some words are annotated for: the gold state OTHER - k
        self.hidden_width = hidden_width
        self.maxout_pieces = maxout_pieces

    def advice(self, size: Size) -> Advice:
        batch_words = between(30, size.words / 80, 400)
        return Advice(learn_rate=0.002, dropout=(0.3, 0.3), batch_words=batch_words, epochs=15)

    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        return sorted({ent.label for example in examples for ent in example.reference.ents})

    def flaws(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        """Warn if all entities have one label and no word is outside an entity, as in lists of names."""
        if len(self.labels) == 1 and not any(has_other_words(example) for example in examples):
            fact = f"every word of the training data is in an entity {self.labels[0]!r}, so {self.name!r} finds them everywhere"
            yield Flaw(fact, "Add texts with words that are in no entity.", is_fatal=False)

    def nothing_to_learn(self, examples: Sequence[Example]) -> Flaw:
        unfit = unfit_entities(examples)
        return Flaw(*unfit) if unfit is not None else super().nothing_to_learn(examples)

    def facts(self, examples: Sequence[Example]) -> Facts:
        """Count entities by label, and the odd ones: misaligned, with white space, across sentences, long, or punctuation."""
        facts = Facts("entities", n_docs=len(examples))
        for i, example in enumerate(examples):
            doc, place = example.reference, place_of(example, i)
            facts.spans.update(" ".join(ent.text.lower().split()) for ent in doc.ents)
            if not doc.has_ents:
                continue
            facts.n_annotated += 1
            facts.labels.update(ent.label for ent in doc.ents)
            if not doc.ents:
                facts.fault("docs without entities", "texts without entities", "n_docs", is_harmless=True).add(place)
            if n := example.excluded_ents:
                hint = "They are left out of training and scores; check their offsets, or pipeline.tokenizer."
                text = "entities do not align with the tokens"
                fault = facts.fault("not aligned with the tokens", text, "n_values_and_n", hint=hint)
                fault.add(f"{place} {unaligned(example)!r}", n)
            starts = {i for i, is_start in enumerate(doc.sent_starts or ()) if is_start}
            for ent in doc.ents:
                for name in oddities(ent, doc.words[ent.start : ent.end], starts):
                    facts.fault(name).add(f"{place} {ent.text[:40]!r}")
        facts.n_values = facts.labels.total()
        return facts

    def build_head(self, width: int, dropout: Dropout) -> Model[Packed, Floats2d]:
        n_labels = len(self.labels)
        if not self.hidden_width:
            return linear_biluo(f"{self.name}/scores", n_labels=n_labels, nI=width)
        hidden = maxout_window(
            f"{self.name}/hidden", nO=self.hidden_width, nI=width, nP=self.maxout_pieces, dropout=dropout
        )
        return chain(self.name, hidden, linear_biluo(f"{self.name}/scores", n_labels=n_labels, nI=self.hidden_width))

    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        assert self.head is not None
        gold = np.concatenate([self._gold(example) for example in examples])  # (n_tokens,) states, -1 unknown
        n_annotated = sum(example.reference.has_ents for example in examples)
        if not n_annotated:
            return 0.0, None
        scores, backprop = self.head.begin_update(batch.vectors)
        losses, d_scores = crf.loss(self.head.ops, scores, batch.layout, gold, self._others())
        d_scores /= scores.dtype.type(n_annotated)
        return float(losses.sum()), backprop(d_scores)

    def beliefs(self, batch: Batch) -> Floats2d:
        """The CRF's marginals of all states: (4 n_labels + 1, n_tokens)."""
        assert self.head is not None
        return self.head.ops.crf_marginals(self.head.predict(batch.vectors), batch.layout).probabilities

    def learn_from(self, batch: Batch, examples: Sequence[Example], beliefs: Beliefs) -> Lesson:
        """Gradient: the marginals of the CRF minus those of gold annotation and teacher together (`_target`)."""
        assert self.head is not None
        gold = np.concatenate([self._gold(example) for example in examples])
        scores, backprop = self.head.begin_update(batch.vectors)
        own = self.head.ops.crf_marginals(scores, batch.layout).probabilities
        target = self._target(gold, own, beliefs)
        n_docs = scores.dtype.type(max(len(batch.docs), 1))
        share = gold_share(gold, self._is_theirs(gold[gold >= 0], beliefs), beliefs.weight)
        learned, taught = losses_apart(target, own, gold, share)
        return Lesson(learned, taught, backprop((own - target.astype(own.dtype)) / n_docs))

    def _target(self, gold: NDArray[np.int16], own: Floats2d, beliefs: Beliefs) -> Floats2d:
        """What the states' marginals should be: (n_states, n_tokens).

        A word with a gold state has it, mixed with the teacher's belief if the teacher knows the label. Of any other word, the
        teacher's entities have the mass that it gives them. The rest is O where only other labels are annotated; where
        nothing is, it is shared between O and the labels that the teacher does not know, as this model sees them.
        """
        n_labels, n_states = len(self.labels), len(own)
        labels = rows_for(beliefs.labels, self.label_rows)
        places = np.concatenate([[0], *[np.where(labels >= 0, 1 + move * n_labels + labels, 0) for move in range(4)]])
        taught = spread(beliefs.P, places.astype("intp"), n_states)
        target = taught.copy()
        new = np.concatenate([[True], *[~np.isin(np.arange(n_labels), labels)] * 4])
        _share_out(target, own, new, gold == crf.UNKNOWN)
        others = self._others()
        for k, states in enumerate(others if others is not None else ()):
            at = gold == crf.OTHER - k
            rest = target[:, at]
            rest[0] += rest[~states].sum(axis=0)  # what the data annotate is not the teacher's to say
            rest[~states] = 0
            target[:, at] = rest
            _share_out(target, own, new & states, at)
        known = np.flatnonzero(gold >= 0)
        exact = np.zeros((n_states, len(known)), dtype=target.dtype)
        exact[gold[known], np.arange(len(known))] = 1
        is_theirs = self._is_theirs(gold[known], beliefs)
        target[:, known] = np.where(is_theirs, mixed(exact, taught[:, known], beliefs.weight), exact)
        return target

    def _is_theirs(self, states: NDArray[np.int16], beliefs: Beliefs) -> NDArray[np.bool_]:
        """Whether the teacher knows these states: O, and those of its labels."""
        n_labels = max(len(self.labels), 1)
        return (states == 0) | np.isin((states - 1) % n_labels, rows_for(beliefs.labels, self.label_rows))

    def _others(self) -> NDArray[np.bool_] | None:
        """Which states a word in no entity may have where only some labels are annotated: (n_sets, n_states), see crf.loss."""
        if self.partial_labels:
            self._none(self.partial_labels)
        rows = []
        for annotated in self._annotated:
            is_other = np.array([label not in annotated for label in self.labels], dtype=bool)
            rows.append(np.concatenate([[True], *[is_other] * 4]))
        return np.stack(rows) if rows else None

    def _none(self, annotated: frozenset[str]) -> int:
        """The gold state of a word in no entity, where these labels are annotated."""
        if annotated.issuperset(self.labels):
            return crf.state_of("O", {})
        if annotated not in self._annotated:
            self._annotated.append(annotated)
        return crf.OTHER - self._annotated.index(annotated)

    def _gold(self, example: Example) -> NDArray[np.int16]:
        """The gold state of each predicted token, or crf.UNKNOWN, crf.OTHER. The array is cached in the example."""
        n_labels = len(self.labels)
        cached = example.targets.get(self.name)
        if cached is None or cached[0] != n_labels:
            rows = self.label_rows
            tags = example.biluo() or ["-"] * len(example.predicted)
            none = self._none(self.partial_labels) if self.partial_labels else crf.state_of("O", rows)
            states = [crf.UNKNOWN if tag == "-" else none if tag == "O" else crf.state_of(tag, rows) for tag in tags]
            for start, end, labels in example.annotated_labels():
                state = self._none(labels)
                states[start:end] = [state if tags[i] == "O" else states[i] for i in range(start, end)]
            cached = (n_labels, np.array(states, dtype="int16"))
            example.targets[self.name] = cached
        return cached[1]

    def annotate(self, batch: Batch) -> None:
        scores, entities = self._decoded(batch)
        for start, doc, spans in zip(batch.layout.starts.tolist(), batch.docs, entities, strict=True):
            doc.set_ents(spans)
            if batch.temperature is not None and spans:
                own = scores[:, start : start + len(doc)] / batch.temperature
                for ent, probability in zip(doc.ents, self._probabilities(own, spans), strict=True):
                    ent.confidence = probability

    def _decoded(self, batch: Batch) -> tuple[Floats2d, list[list[Entity]]]:
        """The scores of all tags, (n_states, n_tokens), and the entities of each doc in the best legal tags."""
        assert self.head is not None
        tags = ["O", *(f"{move}-{label}" for move in "BILU" for label in self.labels)]
        scores = self.head.predict(batch.vectors)
        self.check_finite(scores)
        states = self.head.ops.crf_decode(scores, batch.layout)
        parts = [states[start : start + n] for start, n in zip(batch.layout.starts, batch.layout.lengths, strict=True)]
        return scores, [
            biluo_to_spans([tags[state] for state in part.tolist()]) if part.any() else [] for part in parts
        ]

    def _probabilities(self, potentials: Floats2d, spans: Sequence[Entity]) -> list[float]:
        """The probability of each entity of a doc. potentials: (n_states, n_tokens of the doc)."""
        rows = self.label_rows
        return path_probabilities(potentials, [(start, end, rows[label]) for start, end, label in spans])

    def pseudo_label(self, batch: Batch, references: Sequence[Doc], rule: Rule) -> Iterator[Written]:
        """Entities by the exact probability of the whole entity; of words outside, by the CRF's marginals."""
        assert self.head is not None
        scores, entities = self._decoded(batch)
        potentials = scores / (batch.temperature or 1.0)
        P = self.head.ops.crf_marginals(potentials, batch.layout).probabilities
        for start, reference, spans in zip(batch.layout.starts.tolist(), references, entities, strict=True):
            at = slice(start, start + len(reference))
            sure = self._probabilities(potentials[:, at], spans)
            told = rule.told(self.labels, reference)
            is_told = np.array([False, *[label in told for label in self.labels] * 4])
            p_none = 1 - P[is_told, at].sum(axis=0, dtype="float64")
            kept = [span for span, p in zip(spans, sure, strict=True) if p >= rule.minimum]
            yield fill_entities(reference, kept, p_none.tolist(), told, rule)

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """`entities`: a list of [start, end, label], in character offsets; if asked, `entity_confidence`, one value each."""
        record: dict[str, Any] = {"entities": [[ent.start_char, ent.end_char, ent.label] for ent in doc.ents]}
        if doc.confidence is not None:
            record["entity_confidence"] = [ent.confidence for ent in doc.ents]
        return record

    def candidates(self, batch: Batch, threshold: float) -> list[list[Candidate]]:
        assert self.head is not None
        scores = self.head.predict(batch.vectors)
        P = self.head.ops.crf_marginals(scores, batch.layout).probabilities
        candidates: list[list[Candidate]] = []
        for start, doc in zip(batch.layout.starts.tolist(), batch.docs, strict=True):
            rows = entity_probabilities(P[:, start : start + len(doc)], threshold)
            candidates.append([(i, j, self.labels[x], probability) for i, j, x, probability in rows])
        return candidates

    def drop_unsure(self, doc: Doc, minimum: float) -> None:
        """Drop the entities below the minimum."""
        doc.ents = [ent for ent in doc.ents if ent.confidence is None or ent.confidence >= minimum]

    def graded(self, examples: Sequence[Example]) -> dict[str, Graded]:
        """ "entities": the predicted entities that count (scores.py)."""
        pairs = []
        for example in examples:
            if example.reference.has_ents:
                counted, gold = entities(example)
                for ent in example.predicted.ents:
                    if ent.confidence is not None and ent.as_tuple() in counted:
                        pairs.append((ent.confidence, ent.as_tuple() in gold))
        return {"entities": Graded.of(pairs)}

    def likelihood(self, batch: Batch, examples: Sequence[Example]) -> Likelihood | None:
        """Of the outcome: -log p for each predicted entity that is right, -log(1 - p) for each that is wrong.

        Not of the gold tags: most of these are O, and a temperature fitted to them makes a recognizer that misses
        entities less sure of those that it finds (docs/python.md has figures).
        """
        scores, entities = self._decoded(batch)
        docs: list[tuple[Floats2d, list[Entity], NDArray[np.bool_]]] = []
        for start, example, spans in zip(batch.layout.starts.tolist(), examples, entities, strict=True):
            tags = example.biluo()
            known = [span for span in spans if tags is not None and "-" not in tags[span[0] : span[1]]]
            if known:
                gold = set(example.aligned_ents())
                own = scores[:, start : start + len(example.predicted)]
                docs.append((own, known, np.array([span in gold for span in known])))
        if not docs:
            return None

        def loss(temperature: float) -> float:
            total = 0.0
            for own, spans, is_right in docs:
                P = np.clip(self._probabilities(own / temperature, spans), _SURE, 1 - _SURE)
                total -= float(np.log(np.where(is_right, P, 1 - P)).sum())
            return total

        return loss

    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        return ents()(examples)

    def outcomes(self, example: Example) -> list[Outcome] | None:
        """One outcome for each pair of entities that share a word, and for each entity that has no partner."""
        if not example.reference.has_ents:
            return []
        predicted, gold = entities(example)
        sure = {ent.as_tuple(): ent.confidence for ent in example.predicted.ents}
        outcomes = []
        for a, b in paired(gold, predicted):
            start, end, _ = a or b  # type: ignore[misc]  # one of the two is there
            groups = {"length": bucket(end - start, (1, 2, 3), "words")}
            marks = (Mark(*a) if a else None, Mark(*b) if b else None)
            outcomes.append(Outcome(kind_of_span(a, b), *marks, sure.get(b) if b else None, groups))
        return outcomes

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        counts: list[Counts] = []
        for example in examples:
            if not example.reference.has_ents:
                counts.append({})
                continue
            predicted, gold = entities(example)
            counts.append({"ents_f": (len(predicted & gold), len(predicted), len(gold))})
        return counts


def _share_out(target: Floats2d, own: Floats2d, states: NDArray[np.bool_], at: NDArray[np.bool_]) -> None:
    """Share the target's mass of O, in the columns `at`, between these states as `own` does. O is one of them."""
    if not states[1:].any() or not at.any():
        return
    share = own[:, at] * states[:, None]
    is_none = np.arange(len(own)) == 0
    target[:, at] += target[0, at] * (share / np.maximum(share.sum(axis=0), 1e-12) - is_none[:, None])
