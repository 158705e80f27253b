"""Raw texts that are trained on without annotation: what a teacher predicts on them is learned (`teacher.texts`).

They are read as `predict` reads texts (texts.py): a line of a .txt file is a text; of other formats, the words are kept and the
annotation is not. Many are packed, as training data are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from runner.corpus.digests import sha256_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import JoinedExamples, PackedExamples
from runner.corpus.packed.packing import Packing, read_or_pack
from runner.corpus.readers.reader import LeftOut
from runner.corpus.text_chunks import read_chunks, units
from runner.corpus.texts import doc_of, input_of
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError

TEXTS = "teacher.texts"  # the key of the config


@dataclass(frozen=True)
class RawTexts:
    """Unannotated examples. files: (path, sha256, docs, words) of each file that has texts."""

    examples: Sequence[Example]
    files: list[tuple[Path, str, int, int]]

    def after(self, train: Sequence[Example]) -> Sequence[Example]:
        """The training data and these examples behind them; kept apart, so that a teacher annotates either in its own batches."""
        return JoinedExamples([train, self.examples])


def read_raw(
    paths: Sequence[Path], tokenizer: Tokenizer, limit: int | None, packing: Packing | None, left_out: LeftOut
) -> RawTexts:
    """Read the texts of the files, in order.

    limit: texts of each file. left_out: counts what is left out. Raises RunnerError at the line that cannot be read, or if there
    are no texts.
    """

    def read(path: Path) -> Iterator[Doc]:
        return islice(raw_docs(path, tokenizer, left_out), limit)

    cache = packing.cache if packing is not None else None
    files = [(path, sha256_of(path, cache)) for path in paths]
    raw_packing = replace(packing, recipe=f"raw {packing.recipe}") if packing is not None else None
    docs = read_or_pack(files, read, None, raw_packing, left_out)
    if isinstance(docs, PackedExamples):
        examples: Sequence[Example] = docs
        sizes = docs.per_file()
    else:
        examples = [Example.from_doc(doc) for some in docs for doc in some]
        sizes = [(len(some), sum(map(len, some))) for some in docs]
    if not examples:
        raise RunnerError("there are no texts", place=TEXTS, hint="Check the files: a .txt file has a text a line.")
    return RawTexts(examples, [(*file, *size) for file, size in zip(files, sizes, strict=True) if size[0]])


def raw_docs(path: Path, tokenizer: Tokenizer, left_out: LeftOut) -> Iterator[Doc]:
    """The texts of one file as docs without annotation and meta. A line of a .txt file is a text."""
    try:
        for chunk in read_chunks([input_of(path)], left_out, tokenizer):
            for unit in units(chunk):
                doc = doc_of(unit, tokenizer)
                doc.meta = {}
                if len(doc):
                    yield doc
    except RunnerError as error:
        if "--skip-errors" not in (error.hint or ""):  # a flag of `predict`
            raise
        raise RunnerError(error.fact, place=error.place, hint="Mend the text, or take it out of the file.") from None
