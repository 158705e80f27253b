"""What `debug` finds odd about entities, and in which texts a recognizer finds nothing to tell apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence

from runner.corpus.annotations import UNALIGNED
from runner.corpus.diagnose import is_blank, is_odd
from runner.corpus.example import Example
from runner.corpus.views import Span

LONG_ENTITY = 12  # words


def oddities(ent: Span, words: Sequence[str], sent_starts: Collection[int]) -> Iterator[str]:
    """Name each oddity of an entity with these words."""
    if is_blank(words[0]) or is_blank(words[-1]):
        yield "bordering white space"
    elif any(is_odd(word) or is_blank(word) for word in words):
        yield "holding odd white space"
    if any(i in sent_starts for i in range(ent.start + 1, ent.end)):
        yield "crossing a sentence's end"
    if len(words) > LONG_ENTITY:
        yield f"longer than {LONG_ENTITY} words"
    if all(unicodedata.category(c)[0] in "PSZ" for word in words for c in word):
        yield "of punctuation alone"


def unaligned(example: Example) -> str:
    """The text of the first entity that does not align with the tokens; empty if all align."""
    doc = example.reference
    for first, end, _ in doc.meta.get(UNALIGNED, ()):
        return " ".join(doc.words[first:end])[:40]
    unfit = (ent for ent in doc.ents if example.alignment.span_to_predicted(ent.start, ent.end) is None)
    ent = next(unfit, None)
    return ent.text[:40] if ent is not None and len(example.aligned_ents()) < len(doc.ents) else ""


def has_other_words(example: Example) -> bool:
    """Whether the gold annotation marks at least one word as outside all entities."""
    doc = example.reference
    inside = sum(ent.end - ent.start for ent in doc.ents) + sum(end - start for start, end in doc.unknown_ents)
    return doc.has_ents and inside < len(doc)
