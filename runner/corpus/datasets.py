"""Read a data set: the examples of its train, dev and test files.

A data set is a file of conf/corpus; a new one needs no code. locate.py finds its files. Without an official split, `folds`
and `fold` cut the training data, in order, into contiguous parts; one of them serves as dev data.

Dev and test data are held in memory, as is training data of up to `in_memory_words`: a million words take a few seconds and
some hundred megabytes. Larger training data is packed once into a file of the cache folder (packed/packing.py) and stays
there, which changes no result.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from runner.corpus.digests import sha256_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.locate import locate
from runner.corpus.packed.examples import PackedExamples, n_words
from runner.corpus.packed.packing import Packing, read_or_pack
from runner.corpus.raw import TEXTS, read_raw
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.reader import LeftOut, Reader, bind
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError


@dataclass(frozen=True)
class SourceFile:
    """One file that a part of a corpus was read from."""

    name: str  # of the corpus
    split: str  # "train", "dev", "test", "old_dev", or "teacher": raw texts that a teacher annotates
    path: Path
    sha256: str  # of the file, in hex
    n_docs: int  # read from the file into this part
    n_words: int  # in the reference docs


@dataclass
class Corpus:
    """Examples to train on and to score on, and the files they came from."""

    name: str
    train: Sequence[Example]
    dev: Sequence[Example]
    sources: list[SourceFile]
    digest: str  # sha256, in hex, of the contents of the train and dev files and of how they were cut
    is_folded: bool = False  # whether train and dev are parts of the same files
    left_out: LeftOut = field(default_factory=LeftOut)  # annotations that a Doc cannot hold, and how many
    test: list[Example] = field(default_factory=list)  # held-out examples
    old_dev: list[Example] = field(default_factory=list)  # of what the model that the run starts from knew

    @property
    def n_train_words(self) -> int:
        """Predicted tokens in `train`."""
        return int(n_words(self.train).sum())

    @property
    def n_dev_words(self) -> int:
        """Predicted tokens in `dev`."""
        return int(n_words(self.dev).sum())

    def summary(self) -> list[str]:
        """One aligned line per part: docs, words, entities by type, and entities that do not fit the tokens."""
        rows = []
        for name, examples in (("train", self.train), ("dev", self.dev)):
            labels = Counter(ent.label for example in examples for ent in example.reference.ents)
            words = int(n_words(examples).sum())
            row = f"{name:<5}  {len(examples):>8,} docs  {words:>10,} words  {labels.total():>8,} entities"
            if labels:
                row += " (" + ", ".join(f"{label} {n:,}" for label, n in labels.most_common()) + ")"
            n_excluded = sum(example.excluded_ents for example in examples)
            rows.append(row + (f", {n_excluded:,} unaligned" if n_excluded else ""))
        rows += [f"left out: {n:,} {what}" for what, n in sorted(self.left_out.items())]
        return rows + self.left_out.lines()


@dataclass(frozen=True)
class CorpusSpec:
    """The files of a data set and how they are cut: the keys of conf/corpus without the reader.

    train, dev, test, old_dev: the parts, see locate.py; relative paths start at the current folder.
    """

    train: Any
    dev: Any = None
    test: Any = None
    old_dev: Any = None
    name: str | None = None  # for tables; None: "files"
    score_test: bool = True  # false: do not read the test data
    gold_tokens: bool = True  # predict on the reference's tokens; false: on the tokenizer's, made from its text
    folds: int | None = None  # cut `train` into this many contiguous parts; one of them serves as dev data
    fold: int | None = None  # number, from 0, of that part; None: 0
    limit: int | None = None  # read at most this many docs of each file, before folding
    in_memory_words: int | None = None  # training data with more words is packed into a file; None: never
    cache: str | Path | None = (
        None  # folder of packed files and of large files' checksums; None: the user's cache folder
    )

    def check(self) -> None:
        """Raise RunnerError unless there are training data, and either dev data or folds."""
        if self.train is None:
            raise RunnerError("there is no training data", place="corpus.train", hint="Set corpus.train=PATH.")
        if self.folds is None and self.dev is None:
            raise RunnerError(
                "there is no dev data",
                place="corpus.dev",
                hint="Set corpus.dev=PATH, or hold back a fifth of the training data: corpus.folds=5.",
            )
        if self.folds is not None and self.dev is not None:
            raise RunnerError(
                "there are both dev data and folds of the training data",
                place="corpus.folds",
                hint="Set corpus.dev=null to use the folds, or corpus.folds=null corpus.fold=null for the dev data.",
            )
        if self.folds is not None and not (self.folds >= 2 and 0 <= (self.fold or 0) < self.folds):
            raise RunnerError(
                f"there is no fold {self.fold or 0} of {self.folds}",
                place="corpus.fold",
                hint="Set corpus.folds to 2 or more, and corpus.fold from 0 to one less.",
            )

    def paths(self) -> dict[str, list[Path]]:
        """The files of each split. The dev list is empty if the dev data are a fold of the training data.

        Raises RunnerError if a file is missing or cannot be fetched.
        """
        paths = {"train": locate(self.train, "corpus.train"), "dev": []}
        if self.dev is not None:
            paths["dev"] = locate(self.dev, "corpus.dev")
        if self.test is not None and self.score_test:
            paths["test"] = locate(self.test, "corpus.test")
        if self.old_dev is not None:
            paths["old_dev"] = locate(self.old_dev, "corpus.old_dev")
        return paths

    def packing(self, recipe: str | None) -> Packing | None:
        """How to pack large training data; None: keep all data in memory."""
        if self.in_memory_words is None or recipe is None:
            return None
        folder = Path(self.cache) if self.cache else None
        return Packing(self.in_memory_words, folder, f"{recipe} {self.limit} {self.gold_tokens}")

    def digest(self, sources: Sequence[SourceFile]) -> str:
        """sha256, in hex, of the contents of the train and dev files, of raw texts, and of how they are cut."""
        files = [
            f"{source.split} {source.sha256} {(archive_of(source.path) or ('', '*'))[1]}"
            for source in sources
            if source.split not in ("test", "old_dev")
        ]
        cut = f"{self.folds},{self.fold or 0},{self.limit},{self.gold_tokens}"
        return hashlib.sha256("\n".join([cut, *files]).encode()).hexdigest()


def load_corpus(
    spec: CorpusSpec,
    *,
    reader: Reader | Callable[[Path], Iterator[Doc]],
    tokenizer: Tokenizer,
    recipe: str | None = None,
    texts: Any = None,
) -> Corpus:
    """Find, verify and read a data set.

    reader: one file → docs; it is handed the tokenizer too if it takes two arguments. tokenizer: raw text → words.
    recipe: tells readers and tokenizers apart, so that packed training data is found again by it and by the files'
    content; None keeps all data in memory. texts: a part of raw texts (see raw.py); they follow the training data, unannotated.
    Raises RunnerError that names the key or file:line if a file is missing, altered, unreachable or at fault, or a part
    has no examples.
    """
    spec.check()
    left_out = LeftOut()
    read_whole = bind(reader, tokenizer, left_out)
    predict = None if spec.gold_tokens else _on_words_of(tokenizer)

    def read(path: Path) -> Iterator[Doc]:
        return islice(read_whole(path), spec.limit)

    paths, packing = spec.paths(), spec.packing(recipe)
    cache = packing.cache if packing is not None else None
    files = {split: [(path, sha256_of(path, cache)) for path in paths[split]] for split in paths}
    docs: dict[str, _Docs] = {"train": read_or_pack(files["train"], read, predict, packing, left_out)}
    docs |= {split: [list(read(path)) for path in paths[split]] for split in paths if split != "train"}
    if spec.folds is not None:
        docs |= _fold(docs["train"], spec.folds, spec.fold or 0)
        files["dev"] = files["train"]
    name = spec.name or "files"
    sources = [
        SourceFile(name, split, path, sha256, n_docs, n_words)
        for split, part in docs.items()
        for (path, sha256), (n_docs, n_words) in zip(files[split], _sizes(part), strict=True)
        if n_docs
    ]
    examples = {split: _examples(part, predict) for split, part in docs.items()}
    for split, some in examples.items():
        _check_is_some(split, some)
    raw = read_raw(locate(texts, TEXTS), tokenizer, spec.limit, packing, left_out) if texts is not None else None
    if raw is not None:
        sources += [SourceFile(name, "teacher", *one) for one in raw.files]
    return Corpus(
        name=name,
        train=raw.after(examples["train"]) if raw is not None else examples["train"],
        dev=list(examples["dev"]),
        sources=sources,
        digest=spec.digest(sources),
        is_folded=spec.folds is not None,
        left_out=left_out,
        test=list(examples.get("test", ())),
        old_dev=list(examples.get("old_dev", ())),
    )


@dataclass
class Held:
    """Examples to score on, and the files that they were read from."""

    examples: list[Example]
    sources: list[SourceFile]
    left_out: LeftOut

    @property
    def digest(self) -> str:
        """sha256, in hex, of the files' contents."""
        return hashlib.sha256("\n".join(source.sha256 for source in self.sources).encode()).hexdigest()


def read_part(
    spec: CorpusSpec, split: str, *, reader: Reader | Callable[[Path], Iterator[Doc]], tokenizer: Tokenizer
) -> Held:
    """Read one part of a data set, the same examples as `load_corpus` reads, and no file of the other parts.

    split: "train", "dev" or "test"; dev may be a fold of the training data. Raises RunnerError as `load_corpus`.
    """
    left_out = LeftOut()
    read = bind(reader, tokenizer, left_out)
    is_fold = split == "dev" and spec.dev is None and spec.folds is not None
    part = spec.train if is_fold or split == "train" else spec.dev if split == "dev" else spec.test
    paths = locate(part, f"corpus.{split}")
    docs = [list(islice(read(path), spec.limit)) for path in paths]
    if is_fold:
        docs = _held_lists(_fold(docs, spec.folds or 0, spec.fold or 0)["dev"])
    name = spec.name or "files"
    sources = [
        SourceFile(name, split, path, sha256_of(path), len(some), sum(map(len, some)))
        for path, some in zip(paths, docs, strict=True)
        if some
    ]
    examples = list(_examples(docs, None if spec.gold_tokens else _on_words_of(tokenizer)))
    _check_is_some(split, examples)
    return Held(examples, sources, left_out)


def _held_lists(docs: _Docs) -> list[list[Doc]]:
    assert isinstance(docs, list)
    return docs


def _check_is_some(split: str, examples: Sequence[Example]) -> None:
    if not examples:
        raise RunnerError(
            f"there are no examples in the {split} data",
            place=f"corpus.{split}",
            hint="Check the files, corpus.limit and corpus.folds.",
        )


def _on_words_of(tokenizer: Tokenizer) -> Callable[[Doc], Doc]:
    """A function: reference doc → unannotated doc of the same text, in the tokenizer's words."""

    def predict(reference: Doc) -> Doc:
        return Doc.tokenized(reference.text, tokenizer(reference.text), meta=reference.meta, source=reference.source)

    return predict


def _examples(part: _Docs, predict: Callable[[Doc], Doc] | None) -> Sequence[Example]:
    """What a pipeline predicts on beside each reference. predict: None where that is the reference's own tokens."""
    if isinstance(part, PackedExamples):
        return part
    docs = (doc for some in part for doc in some)
    return [Example(predict(doc), doc) if predict is not None else Example.from_doc(doc) for doc in docs]


_Docs = list[list[Doc]] | PackedExamples  # a list for each file; or packed


def _fold(docs: _Docs, folds: int, fold: int) -> dict[str, _Docs]:
    """Cut the docs, in order, into train and dev docs: the dev docs are the `fold`th of `folds` parts."""
    n_docs = len(docs) if isinstance(docs, PackedExamples) else sum(map(len, docs))
    start, end = fold * n_docs // folds, (fold + 1) * n_docs // folds
    if isinstance(docs, PackedExamples):
        return {"train": docs.without(start, end), "dev": docs[start:end]}
    train, dev = [], []
    position = 0
    for some in docs:
        low, high = max(0, start - position), max(0, end - position)
        train.append(some[:low] + some[max(low, high) :])
        dev.append(some[low:high])
        position += len(some)
    return {"train": train, "dev": dev}


def _sizes(part: _Docs) -> list[tuple[int, int]]:
    """(number of docs, number of words) of each file."""
    return part.per_file() if isinstance(part, PackedExamples) else [(len(some), sum(map(len, some))) for some in part]
