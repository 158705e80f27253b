"""Scores of dependency trees: UAS, LAS, LAS by label, and F of sentences.

An arc is right for UAS if its head is the gold head, and for LAS if its label is right too. Both scores are
F = 2 · right / (predicted + gold), which equals accuracy if the tokens are the same. Two rules say which arcs count:

    ignore_punct=true    spaCy's: arcs labelled `punct` or `p` are left out, predicted ones by the predicted label, gold ones by
                         the gold label; labels are compared whole
    ignore_punct=false   the CoNLL 2018 evaluation's (Zeman et al., 2018): every token counts, and labels are compared up to
                         the first colon (`nmod:poss` is `nmod`)

Both rules leave out arcs labelled `-` ("no relation", not a label of Universal Dependencies) and tokens whose gold head or
label is unknown. A predicted arc whose token or head has no one-to-one gold token is wrong.
A sentence is right if a gold sentence covers the same characters, ignoring white space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from runner.components.calibration import Graded
from runner.components.outcomes import RIGHT, Mark, Outcome, bucket
from runner.components.scores import PerType, Scorer, Scores, scored
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.views import Token
from runner.model.trees import sentence_starts

NO_RELATION = "-"
PUNCT_LABELS = frozenset({"punct", "p"})

Arc = tuple[int, int, str]  # token, head (a root is its own head), label; positions in the reference


def deps(*, ignore_punct: bool = True) -> Scorer:
    """Score dep_uas, dep_las, sents_p, sents_r and sents_f over the examples with gold trees; p, r, f, support by label."""

    def score(examples: Sequence[Example]) -> tuple[Scores, PerType]:
        right, predicted, gold = Counter[str](), Counter[str](), Counter[str]()
        n_attached = 0
        sentences = [0, 0, 0]  # right, predicted, gold
        for example in examples:
            sentences = [a + b for a, b in zip(sentences, sentence_counts(example), strict=True)]
            n_attached += count_arcs(example, right, predicted, gold, ignore_punct=ignore_punct)
        per_type = {label: scored(right[label], predicted[label], gold[label]) for label in sorted(gold | predicted)}
        scores: Scores = {
            "dep_uas": scored(n_attached, predicted.total(), gold.total())["f"],
            "dep_las": scored(right.total(), predicted.total(), gold.total())["f"],
        }
        of_sentences = scored(*sentences)
        return {**scores, **{f"sents_{key}": of_sentences[key] for key in "prf"}}, per_type

    return score


def count_arcs(
    example: Example, right: Counter[str], predicted: Counter[str], gold: Counter[str], *, ignore_punct: bool
) -> int:
    """Add an example's arcs to the counts by label. Return the number of arcs with the right head."""
    ignored = {NO_RELATION, *PUNCT_LABELS} if ignore_punct else {NO_RELATION}
    expected = gold_arcs(example.reference)
    if expected is None:
        return 0

    def kind(label: str) -> str:
        return label if ignore_punct else label.split(":", 1)[0]

    arcs, n_arcs = predicted_arcs(example, expected, ignored)
    expected = {i: arc for i, arc in expected.items() if arc[2] not in ignored}
    gold.update(kind(label) for _, _, label in expected.values())
    for label, count in n_arcs.items():
        predicted[kind(label)] += count
    n_attached = 0
    for i, head, label in arcs:
        other = expected.get(i)
        if other is not None and other[1] == head:
            n_attached += 1
            if kind(other[2]) == kind(label):
                right[kind(label)] += 1
    return n_attached


def graded_arcs(examples: Sequence[Example], *, ignore_punct: bool) -> dict[str, Graded]:
    """ "heads": the predicted heads of tokens with a gold head and label. "deps": the labels of those whose head is right,
    as a label's confidence is given its head. Arcs predicted as ignored (see `count_arcs`) are left out of both.
    """
    ignored = {NO_RELATION, *PUNCT_LABELS} if ignore_punct else {NO_RELATION}
    heads: list[tuple[float, bool]] = []
    deps: list[tuple[float, bool]] = []
    for example in examples:
        doc = example.predicted
        if doc.confidence is None or "heads" not in doc.confidence or example.reference.heads is None:
            continue
        for token, head, label in zip(doc, example.aligned_heads(), example.aligned_deps(), strict=True):
            sure, sure_dep = token.head_confidence, token.dep_confidence
            if (
                head is None
                or label in (None, NO_RELATION)
                or token.dep_ in ignored
                or sure is None
                or sure_dep is None
            ):
                continue
            heads.append((sure, token.head.i == head))
            if token.head.i == head:
                deps.append((sure_dep, token.dep_ == label))
    return {"heads": Graded.of(heads), "deps": Graded.of(deps)}


def arc_outcomes(example: Example, *, ignore_punct: bool) -> list[Outcome]:
    """One outcome for each predicted token whose gold head and label are known and whose gold label counts."""
    ignored = {NO_RELATION, *PUNCT_LABELS} if ignore_punct else {NO_RELATION}
    doc, outcomes = example.predicted, []
    gold = zip(example.aligned_heads(), example.aligned_deps(), strict=True)
    own = zip(doc.heads or (), doc.deps or (), strict=True)
    for i, ((head, label), (guess, name)) in enumerate(zip(gold, own, strict=False)):
        if head is None or label is None or label in ignored or guess is None or name is None:
            continue
        is_named = name == label if ignore_punct else name.split(":", 1)[0] == label.split(":", 1)[0]
        if head == guess:
            kind = RIGHT if is_named else "wrong label"
        else:
            kind = "wrong head" if is_named else "wrong head and label"
        distance = "root" if head == i else bucket(abs(head - i), (1, 2, 4, 8), "words")
        marks = Mark(i, i + 1, label, head), Mark(i, i + 1, name, guess)
        token = Token(doc, i)
        sure = token.head_confidence, token.dep_confidence
        confidence = sure[0] * sure[1] if sure[0] is not None and sure[1] is not None else None
        outcomes.append(Outcome(kind, *marks, confidence, {"distance": distance}))
    return outcomes


def gold_arcs(reference: Doc) -> dict[int, Arc] | None:
    """Map each token with a known head and label to its arc. None if the doc has no trees."""
    if reference.heads is None or reference.deps is None:
        return None
    return {
        i: (i, head, label)
        for i, (head, label) in enumerate(zip(reference.heads, reference.deps, strict=True))
        if head is not None and label is not None
    }


def predicted_arcs(example: Example, known: dict[int, Arc], ignored: set[str]) -> tuple[list[Arc], Counter[str]]:
    """Return the comparable arcs, in reference tokens, and the number of all arcs that count, by label."""
    doc = example.predicted
    to_gold = range(len(doc)) if example.is_identical else example.alignment.predicted_to_gold
    arcs: list[Arc] = []
    counts: Counter[str] = Counter()
    for i, (head, label) in enumerate(zip(doc.heads or (), doc.deps or (), strict=True)):
        token = to_gold[i]
        if head is None or label is None or label in ignored or (token is not None and token not in known):
            continue
        counts[label] += 1
        gold_head = to_gold[head]
        if token is not None and gold_head is not None:
            arcs.append((token, gold_head, label))
    return arcs, counts


def sentence_counts(example: Example) -> tuple[int, int, int]:
    """Count (right, predicted, gold) sentences; zeros if the reference has neither all sentence starts nor all heads."""
    reference = example.reference
    if reference.sent_starts is not None:
        if None in reference.sent_starts:
            return 0, 0, 0
        starts = [bool(is_start) for is_start in reference.sent_starts]
    elif reference.heads is not None and None not in reference.heads:
        starts = sentence_starts([head for head in reference.heads if head is not None])
    else:
        return 0, 0, 0
    gold = _spans(reference, starts)
    predicted = _spans(example.predicted, [bool(is_start) for is_start in example.predicted.sent_starts or ()])
    return len(gold & predicted), len(predicted), len(gold)


def _spans(doc: Doc, starts: Sequence[bool]) -> set[tuple[int, int]]:
    """The sentences as character ranges, not counting white space."""
    bounds = []
    position = 0
    for i, word in enumerate(doc.words):
        if i == 0 or (starts and starts[i]):
            bounds.append(position)
        position += len("".join(word.split()))
    return set(zip(bounds, [*bounds[1:], position], strict=True))
