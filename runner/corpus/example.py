"""`Example`: the doc that a pipeline sees (`predicted`), and the doc with the gold annotations (`reference`).

The two may be tokenized differently. A gold annotation is mapped to a predicted token only if their characters agree:

    tag            the token consists of one gold token, or of several with the same tag
    head, label    the token consists of gold tokens of which exactly one has its head outside the token
    sent start     no sentence starts inside the token
    entity         the entity starts and ends with predicted tokens

A part of a gold token has no tag and no head, and starts no sentence. Entities that do not fit are left out of loss and
score (the predicted tokens that they touch are `-`, unknown) and counted in `excluded_ents`.

Example(gold tokens, predicted doc) maps predicted annotations to gold tokens by the same rules.

Annotations are read at every call; components keep packed training targets in `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from runner.corpus.alignment import Alignment
from runner.corpus.annotations import ANNOTATED, UNALIGNED, check_keys, read_annotations
from runner.corpus.biluo import spans_to_biluo
from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.spacy_names import ExplainsNames

Value = TypeVar("Value")


class Example(ExplainsNames):
    """A predicted and a reference doc of the same text.

    Raises RunnerError (at the reference's source) if their texts differ in more than white space.
    """

    __slots__ = ("alignment", "is_augmented", "is_given", "predicted", "reference", "targets")
    _kind = "example"

    def __init__(
        self, predicted: Doc, reference: Doc, *, alignment: Alignment | None = None, is_augmented: bool = False
    ) -> None:
        """is_augmented: whether this is a copy with changed words; those do not count as seen (see augment.py)."""
        for name, doc in (("predicted", predicted), ("reference", reference)):
            if not isinstance(doc, Doc):
                raise RunnerError(
                    f"{name} is a {type(doc).__name__}, not a Doc",
                    hint='Write Example.from_doc(reference), or Example.from_dict(doc, {"entities": [(0, 4, "ORG")]}).',
                )
        self.predicted = predicted
        self.reference = reference
        self.is_augmented = is_augmented
        self.is_given = (
            False  # made from a dict; components/doubts.py reports its faults when a component learns from it
        )
        self.targets: dict[str, Any] = {}  # component → its training targets for this example
        if alignment is None:
            try:
                alignment = Alignment(reference.words, predicted.words)
            except RunnerError as error:
                raise (error.at(reference.source) if reference.source else error) from None
        self.alignment = alignment

    @classmethod
    def from_doc(cls, reference: Doc) -> Example:
        """An example whose predicted doc has the reference's own tokens."""
        alignment = Alignment(reference.words, reference.words, is_identical=True)
        return cls(reference.copy_unannotated(), reference, alignment=alignment)

    @classmethod
    def from_dict(cls, predicted: Doc, annotations: Mapping[str, Any]) -> Example:
        """An example whose reference is given in the simple training style (see annotations.py).

        Character offsets count in `predicted.text`. Lists with one value per word refer to the annotations' `words`; without
        `words`, to those of `predicted`. Raises RunnerError on any fault.

        >>> example = Example.from_dict(Doc(["Lake", "Aurel"]), {"entities": [(0, 10, "LOC")]})
        >>> example.aligned_ents()
        [(0, 2, 'LOC')]
        """
        _check_kinds(predicted, annotations)
        if not predicted.words and "words" not in annotations:  # an empty text, with nothing to annotate
            return cls(predicted, Doc([], text=predicted.text, ents=() if "entities" in annotations else None))
        record: dict[str, Any] = {"text": predicted.text, "words": predicted.words, **annotations}
        if "words" not in annotations:
            record["spaces"] = annotations.get("spaces") or predicted.spaces
        return cls(predicted, read_annotations(record, None, predicted.source))._given()

    @classmethod
    def from_text(cls, text: str, annotations: Mapping[str, Any], tokenizer: Tokenizer) -> Example:
        """Tokenize raw text. annotations: in the simple training style; their offsets count in the text as given."""
        predicted = Doc.tokenized(text, tokenizer(text))
        _check_kinds(predicted, annotations)
        record: dict[str, Any] = {"text": text, "words": predicted.words, **annotations}
        return cls(predicted, read_annotations(record, None))._given()

    def _given(self) -> Example:
        self.is_given = True
        return self

    @property
    def is_identical(self) -> bool:
        """Whether both docs have the same tokens."""
        return self.alignment.is_identical

    def aligned_ents(self) -> list[tuple[int, int, str]]:
        """The reference's entities that start and end with predicted tokens, as (start, end, label) in those tokens."""
        return self._fit()[0]

    @property
    def excluded_ents(self) -> int:
        """The number of the reference's entities that do not start and end with predicted tokens."""
        return len(self.reference.ents) - len(self._fit()[0]) + len(self.reference.meta.get(UNALIGNED, ()))

    def biluo(self) -> list[str] | None:
        """A BILUO tag for each predicted token, `-` if its entity is unknown; None if no entities are annotated."""
        if not self.reference.has_ents:
            return None
        ents, unknown = self._fit()
        return spans_to_biluo(len(self.predicted), ents, unknown)

    def annotated_labels(self) -> list[tuple[int, int, frozenset[str]]]:
        """Ranges of predicted tokens, as (start, end, labels), in which only these labels of entities are annotated.

        A word there that is in no entity is of none of these labels, and may be of any other. Of several ranges with the same
        word, the last one counts. Outside of all ranges, what is annotated is the component's to say.
        """
        ranges = []
        for start, end, labels in self.reference.meta.get(ANNOTATED, ()):
            here = (start, end) if self.is_identical else self.alignment.touched_by(start, end)
            ranges.append((*here, frozenset(labels)))
        return ranges

    def aligned_tags(self) -> list[str | None]:
        """The gold tag of each predicted token; None if it has none, holds gold tokens with different tags, or cuts one."""
        return self._aligned(self.reference.tags)

    def aligned_pos(self) -> list[str | None]:
        """As aligned_tags, for universal parts of speech."""
        return self._aligned(self.reference.pos)

    def aligned_deps(self) -> list[str | None]:
        """The gold dependency label of each predicted token; of several gold tokens, the label of their only root."""
        deps = self.reference.deps
        if deps is None or self.is_identical:
            return self._aligned(deps)
        return [deps[i] if i is not None else None for i in self._anchors()[0]]

    def aligned_sent_starts(self) -> list[bool | None]:
        """Whether a sentence starts at each predicted token; None if a sentence starts inside it, or if unknown."""
        gold = self.reference.sent_starts
        if gold is None or self.is_identical:
            return self._aligned(gold)
        edges, own = self.alignment.gold_edges, self.alignment.predicted_edges
        gold = list(gold)
        for i in range(len(gold) - 1):  # a sentence that starts with white space starts with the word after it
            if gold[i] and edges[i][0] == edges[i][1]:
                gold[i + 1] = True
        starts: list[bool | None] = []
        for (first, last), (start, end) in zip(self.alignment.touching(), own, strict=True):
            begins = [gold[i] for i in range(first, last) if start < edges[i][0] < edges[i][1]]
            if start == end or any(value is not False for value in begins):
                starts.append(None)
            else:
                starts.append(gold[first] if edges[first][0] == start else False)
        return starts

    def aligned_heads(self) -> list[int | None]:
        """The head of each predicted token, in predicted tokens; None if the token or its head cuts a gold token.

        A token that holds several gold tokens takes the head of the one whose head lies outside the token.
        """
        heads = self.reference.heads
        if heads is None or self.is_identical:
            return self._aligned(heads)
        anchors, holder = self._anchors()
        gold = [heads[i] if i is not None else None for i in anchors]
        return [holder[head] if head is not None else None for head in gold]

    def token_counts(self) -> tuple[int, int, int]:
        """(correct, predicted, gold) token counts. A correct token covers the same characters as a gold token."""
        return self.alignment.token_counts()

    def _fit(self) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
        """(entities, ranges with unknown entities), in predicted tokens."""
        reference, alignment = self.reference, self.alignment
        spans = [ent.as_tuple() for ent in reference.ents]
        if alignment.is_identical:
            return spans, [(start, end) for start, end in reference.unknown_ents]
        ents: list[tuple[int, int, str]] = []
        unknown = [alignment.touched_by(start, end) for start, end in reference.unknown_ents]
        for start, end, label in spans:
            span = alignment.span_to_predicted(start, end)
            if span is None:
                unknown.append(alignment.touched_by(start, end))
            else:
                ents.append((*span, label))
        return ents, unknown

    def _anchors(self) -> tuple[list[int | None], list[int | None]]:
        """Two lists: each predicted token's anchor (the gold token whose arc it takes); each gold token's predicted token."""
        heads = self.reference.heads or []
        made_of, holder = self.alignment.merged()
        anchors: list[int | None] = []
        for span in made_of:
            if span is None:
                anchors.append(None)
                continue
            start, end = span
            outward = [i for i in range(start, end) if end - start == 1 or not heads or _leaves(heads[i], i, span)]
            anchors.append(outward[0] if len(outward) == 1 else None)
        return anchors, holder

    def _aligned(self, values: list[Value | None] | None) -> list[Value | None]:
        """The value of each predicted token: that of its gold tokens, if they agree; else None."""
        if values is None:
            return [None] * len(self.predicted)
        if self.is_identical:
            return list(values)
        made_of, _ = self.alignment.merged()
        edges = self.alignment.gold_edges
        aligned: list[Value | None] = []
        for span in made_of:
            distinct = {values[i] for i in range(*span) if edges[i][0] < edges[i][1]} if span is not None else set()
            aligned.append(distinct.pop() if len(distinct) == 1 else None)
        return aligned

    def __repr__(self) -> str:
        return f"Example({self.reference.text[:60]!r})"


def _check_kinds(predicted: Doc, annotations: Mapping[str, Any]) -> None:
    if not isinstance(predicted, Doc):
        raise RunnerError(
            f"predicted is a {type(predicted).__name__}, not a Doc",
            hint="Write Example.from_dict(nlp.make_doc(text), annotations).",
        )
    if not isinstance(annotations, Mapping):
        raise RunnerError(
            f"the annotations are a {type(annotations).__name__}", hint='Give a dict: {"entities": [(0, 4, "ORG")]}.'
        )
    check_keys(annotations)


def _leaves(head: int | None, i: int, span: tuple[int, int]) -> bool:
    """Whether the head of token i lies outside the span; True for a root."""
    return head is not None and (head == i or not span[0] <= head < span[1])
