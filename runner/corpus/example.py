"""`Example`: what a pipeline sees (`predicted`) beside what is right (`reference`), on the predicted tokens.

The reference may be tokenized otherwise. An annotation crosses over only where characters agree: a tag where a token is
made of one gold token, or of several that have the same tag; a head and label where one gold token stands for it; a
sentence start where no sentence starts inside the token; an entity where it starts and ends with predicted tokens. A
part of a gold token starts no sentence, and has no tag or head. Entities that do not fit are left out of loss and score
(`-`, unknown, on the predicted tokens they touch) and counted in `excluded_ents`.

The other way round, from predicted to gold tokens, the same holds: Example(gold tokens, predicted doc).

Annotations are read afresh at every call; components keep what they pack for training in `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from runner.corpus.alignment import Alignment
from runner.corpus.annotations import UNALIGNED, check_keys, read_annotations
from runner.corpus.biluo import spans_to_biluo
from runner.corpus.doc import Doc
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError
from runner.spacy_names import unknown

Value = TypeVar("Value")


class Example:
    """A predicted and a reference doc of one text.

    Raises RunnerError (at the reference's source) where their texts differ in more than white space.
    """

    __slots__ = ("alignment", "is_augmented", "is_given", "predicted", "reference", "targets")

    def __init__(
        self, predicted: Doc, reference: Doc, *, alignment: Alignment | None = None, is_augmented: bool = False
    ) -> None:
        """is_augmented: a copy with changed words, which do not count as seen (see augment.py)."""
        for name, doc in (("predicted", predicted), ("reference", reference)):
            if not isinstance(doc, Doc):
                raise RunnerError(
                    f"{name} is a {type(doc).__name__}, not a Doc",
                    hint='Write Example.from_doc(reference), or Example.from_dict(doc, {"entities": [(0, 4, "ORG")]}).',
                )
        self.predicted = predicted
        self.reference = reference
        self.is_augmented = is_augmented
        self.is_given = False  # made from a dict, whose faults are told where it is learned from (components/doubts.py)
        self.targets: dict[str, Any] = {}  # component → what it packs once of this example's annotation
        if alignment is None:
            try:
                alignment = Alignment(reference.words, predicted.words)
            except RunnerError as error:
                raise (error.at(reference.source) if reference.source else error) from None
        self.alignment = alignment

    @classmethod
    def from_doc(cls, reference: Doc) -> Example:
        """Predict on the reference's own tokens."""
        alignment = Alignment(reference.words, reference.words, is_identical=True)
        return cls(reference.copy_unannotated(), reference, alignment=alignment)

    @classmethod
    def from_dict(cls, predicted: Doc, annotations: Mapping[str, Any]) -> Example:
        """A reference in the simple training style (see annotations.py) for a doc that exists.

        Character offsets count in `predicted.text`. Lists of one value a word belong to the annotations' `words`, or
        to the predicted ones where there are none. Raises RunnerError on any fault.

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
        """Tokenize raw text; its annotations are in the simple training style, offsets count in the text as given."""
        predicted = Doc.tokenized(text, tokenizer(text))
        _check_kinds(predicted, annotations)
        record: dict[str, Any] = {"text": text, "words": predicted.words, **annotations}
        return cls(predicted, read_annotations(record, None))._given()

    def _given(self) -> Example:
        self.is_given = True
        return self

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("example", self, name)

    @property
    def is_identical(self) -> bool:
        """Whether both docs have the same tokens."""
        return self.alignment.is_identical

    def aligned_ents(self) -> list[tuple[int, int, str]]:
        """The reference's entities that fit, as (start, end, label) in predicted tokens."""
        return self._fit()[0]

    @property
    def excluded_ents(self) -> int:
        """How many entities of the reference do not start and end with predicted tokens."""
        return len(self.reference.ents) - len(self._fit()[0]) + len(self.reference.meta.get(UNALIGNED, ()))

    def biluo(self) -> list[str] | None:
        """A BILUO tag a predicted token, `-` where the entity is unknown; None where no entities were annotated."""
        if not self.reference.has_ents:
            return None
        ents, unknown = self._fit()
        return spans_to_biluo(len(self.predicted), ents, unknown)

    def aligned_tags(self) -> list[str | None]:
        """The reference's tag a predicted token; None where it has none, holds gold tokens of several, or cuts one."""
        return self._aligned(self.reference.tags)

    def aligned_pos(self) -> list[str | None]:
        """As aligned_tags, for the universal part of speech."""
        return self._aligned(self.reference.pos)

    def aligned_deps(self) -> list[str | None]:
        """The dependency label a predicted token; one that holds several gold tokens has their root's, if that is one."""
        deps = self.reference.deps
        if deps is None or self.is_identical:
            return self._aligned(deps)
        return [deps[i] if i is not None else None for i in self._anchors()[0]]

    def aligned_sent_starts(self) -> list[bool | None]:
        """Whether a sentence starts at each predicted token; None where one starts inside it, or it is not known."""
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
        """The head a predicted token, in predicted tokens; None where one of the two cuts a gold token.

        A token that holds several gold tokens has the head of the one among them whose head lies outside.
        """
        heads = self.reference.heads
        if heads is None or self.is_identical:
            return self._aligned(heads)
        anchors, holder = self._anchors()
        gold = [heads[i] if i is not None else None for i in anchors]
        return [holder[head] if head is not None else None for head in gold]

    def token_counts(self) -> tuple[int, int, int]:
        """(correct, predicted, gold) tokens; correct ones cover the same characters of the text."""
        return self.alignment.token_counts()

    def _fit(self) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
        """Entities and unknown ranges on predicted tokens."""
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
        """For each predicted token the gold token that stands for it in the tree; for each gold token its holder."""
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
        if values is None:
            return [None] * len(self.predicted)
        if self.is_identical:
            return list(values)
        made_of, _ = self.alignment.merged()
        edges = self.alignment.gold_edges
        aligned: list[Value | None] = []
        for span in made_of:
            found = {values[i] for i in range(*span) if edges[i][0] < edges[i][1]} if span is not None else set()
            aligned.append(found.pop() if len(found) == 1 else None)
        return aligned

    def __repr__(self) -> str:
        return f"Example({self.reference.text[:60]!r})"


def _check_kinds(predicted: Doc, annotations: Mapping[str, Any]) -> None:
    if not isinstance(predicted, Doc):
        raise RunnerError(
            f"a {type(predicted).__name__} stands in the place of the Doc",
            hint="Write Example.from_dict(nlp.make_doc(text), annotations).",
        )
    if not isinstance(annotations, Mapping):
        raise RunnerError(
            f"the annotations are a {type(annotations).__name__}", hint='Give a dict: {"entities": [(0, 4, "ORG")]}.'
        )
    check_keys(annotations)


def _leaves(head: int | None, i: int, span: tuple[int, int]) -> bool:
    """Whether the arc of token i leads out of the span; a root's does."""
    return head is not None and (head == i or not span[0] <= head < span[1])
