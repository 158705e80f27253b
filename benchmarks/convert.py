"""A corpus in spaCy's binary format, for the peer: `python -m benchmarks.convert FOLDER OVERRIDE …`.

Words, spaces, tags, trees, entities and categories, as our reader gives them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin

from runner.assemble import make_corpus
from runner.config.compose import compose
from runner.corpus import doc as ours
from runner.corpus.biluo import spans_to_biluo
from runner.corpus.example import Example
from runner.errors import RunnerError


def convert(folder: Path, overrides: Sequence[str]) -> None:
    """Write train.spacy and dev.spacy, unless they are there."""
    if all((folder / f"{part}.spacy").is_file() for part in ("train", "dev")):
        return
    corpus = make_corpus(compose(overrides))
    folder.mkdir(parents=True, exist_ok=True)
    labels = sorted({label for example in corpus.train for label in example.reference.cats or ()})
    for part, examples in (("train", corpus.train), ("dev", corpus.dev)):
        write(folder / f"{part}.spacy", examples, labels)


def write(path: Path, examples: Sequence[Example], labels: Sequence[str]) -> None:
    vocab = spacy.blank("en").vocab
    docs = [spacy_doc(vocab, example.reference, labels) for example in examples]
    unfinished = path.with_suffix(".part")
    DocBin(docs=docs, store_user_data=True).to_disk(unfinished)
    unfinished.replace(path)


def spacy_doc(vocab: spacy.vocab.Vocab, doc: ours.Doc, labels: Sequence[str]) -> Doc:
    """One gold doc. labels: all categories; one that the doc does not name is 0."""
    has_tree = doc.heads is not None and doc.deps is not None and None not in doc.heads
    ents = None
    if doc.has_ents:
        biluo = spans_to_biluo(len(doc), [ent.as_tuple() for ent in doc.ents], doc.unknown_ents)
        ents = [iob(tag) for tag in biluo]
    made = Doc(
        vocab,
        words=doc.words,
        spaces=doc.spaces,
        tags=[tag or "" for tag in doc.tags] if doc.tags else None,
        heads=list(doc.heads or ()) if has_tree else None,
        deps=[label or "" for label in doc.deps or ()] if has_tree else None,
        ents=ents,
    )
    if doc.cats is not None:
        made.cats = {label: float(doc.cats.get(label, 0.0)) for label in labels}
    return made


def iob(tag: str) -> str:
    """BILUO → IOB, as spaCy's `Doc` wants it; "" where the entity is not known.

    >>> [iob(tag) for tag in ("U-LOC", "L-LOC", "O", "-")]
    ['B-LOC', 'I-LOC', 'O', '']
    """
    if tag == "-":
        return ""
    return {"U": "B", "L": "I"}.get(tag[0], tag[0]) + tag[1:]


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), sys.argv[2:])
    except RunnerError as problem:
        print(problem, file=sys.stderr)
        sys.exit(problem.exit_code)
