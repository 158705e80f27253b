"""Data sets: where the files of a corpus come from, and the examples in them.

A part of a corpus (`train`, `dev`, `test`) is a path, a list of such, or a mapping:

    {bundled: train.jsonl}                               a file of runner/corpus/sample
    {url: https://…, sha256: …, mirror: wnut17/FILE}     fetched once into the cache folder, its checksum verified

and `members` beside them, of a zip archive, picks files in it (see readers/archive.py), as does a path `a.zip/PATTERN`.

Where RUNNER_DATA_MIRROR names a folder, `mirror` is read there in place of the network, verified the same way. A data
set is nothing but a file of conf/corpus, so that a new one needs no code. Without an official split, `folds` and `fold`
cut the training data into contiguous parts by order, one of which is the dev set.

Dev and test data are held in memory, and training data up to `in_memory_words`: a million words take a few seconds and
some hundred megabytes. More is packed into a file of the cache folder once and stays there (packing.py), which changes
no result. Batches are batching.py's.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from runner.corpus.digests import sha256_of
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed.examples import PackedExamples, n_words
from runner.corpus.packed.packing import Packing, read_or_pack
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.reader import LeftOut, Reader, bind
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError, suggest

MIRROR_VARIABLE = "RUNNER_DATA_MIRROR"
SAMPLE = Path(__file__).parent / "sample"


@dataclass(frozen=True)
class Source:
    """One file that a part of a corpus was read from."""

    name: str  # of the corpus
    split: str  # "train", "dev" or "test"
    path: Path
    sha256: str  # of the file, in hex
    n_docs: int  # read from it into this part
    n_words: int  # of the reference


@dataclass
class Corpus:
    """Examples to train on and to score on, and where they came from. digest: of train and dev, which make the weights."""

    name: str
    train: Sequence[Example]
    dev: Sequence[Example]
    sources: list[Source]
    digest: str  # sha256, in hex, of the files' contents and of how they were cut
    is_folded: bool = False  # train and dev are parts of the same files
    left_out: LeftOut = field(default_factory=LeftOut)  # what the readers found no place for in a Doc, and how often
    test: list[Example] = field(default_factory=list)  # held-out examples

    @property
    def n_train_words(self) -> int:
        """Predicted tokens in `train`."""
        return int(n_words(self.train).sum())

    @property
    def n_dev_words(self) -> int:
        """Predicted tokens in `dev`."""
        return int(n_words(self.dev).sum())

    def summary(self) -> list[str]:
        """One aligned line a part: docs, words, entities by type, and how many entities do not align."""
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


def load_corpus(
    *,
    name: str | None,
    train: Any,
    dev: Any,
    test: Any = None,
    score_test: bool = True,
    reader: Reader | Callable[[Path], Iterator[Doc]],
    tokenizer: Tokenizer,
    gold_tokens: bool = True,
    folds: int | None = None,
    fold: int | None = None,
    limit: int | None = None,
    in_memory_words: int | None = None,
    cache: str | Path | None = None,
    recipe: str | None = None,
) -> Corpus:
    """Find, verify and read a data set.

    name: for tables. train, dev, test: see above; relative paths start at the current folder.
    score_test: read the test data; false: leave its files alone.
    reader: one file → docs; it is handed the tokenizer too where it takes two arguments. tokenizer: raw text → words.
    gold_tokens: predict on the reference's tokens; otherwise on the tokenizer's, made from the reference's text.
    folds, fold: train on all of `folds` contiguous parts of `train` but the `fold`th (from 0; None is 0), the dev set.
    limit: read at most this many docs of each file (before folding).
    in_memory_words, cache, recipe: training data of more words is packed in this folder (None: the user's cache), to be
    found again by its content and `recipe`, which tells readers and tokenizers apart; without either, all is in memory.
    Raises RunnerError that names the key or file:line: a file missing, altered, unreachable or at fault, or a part
    without examples.
    """
    name, fold = name or "files", fold or 0
    _check_parts(train, dev, folds, fold)
    left_out = LeftOut()
    read = bind(reader, tokenizer, left_out)
    predict = None if gold_tokens else _on_words_of(tokenizer)

    def make(doc: Doc) -> Example:
        return Example(predict(doc), doc) if predict is not None else Example.from_doc(doc)

    paths = {"train": locate(train, "corpus.train"), "dev": locate(dev, "corpus.dev") if dev is not None else []}
    paths |= {"test": locate(test, "corpus.test")} if test is not None and score_test else {}
    packing = None
    if in_memory_words is not None and recipe is not None:
        packing = Packing(in_memory_words, Path(cache) if cache else None, f"{recipe} {limit} {gold_tokens}")
    keep = packing.cache if packing is not None else None
    contents = {split: [(path, sha256_of(path, keep)) for path in paths[split]] for split in paths}
    docs = read_or_pack(contents["train"], lambda path: islice(read(path), limit), predict, packing, left_out)
    others = {split: [list(islice(read(path), limit)) for path in paths[split]] for split in paths if split != "train"}
    parts: dict[str, _Docs] = {"train": docs, **others}
    if folds is not None:
        parts, contents["dev"] = parts | _fold(docs, folds, fold), contents["train"]
    sources = [
        Source(name, split, path, sha256, docs_in_file, words_in_file)
        for split, part in parts.items()
        for (path, sha256), (docs_in_file, words_in_file) in zip(contents[split], _sizes(part), strict=True)
        if docs_in_file
    ]
    examples: dict[str, Sequence[Example]] = {
        split: part if isinstance(part, PackedExamples) else [make(doc) for some in part for doc in some]
        for split, part in parts.items()
    }
    examples["dev"] = list(examples["dev"])
    for split, some in examples.items():
        _check_is_some(split, some)

    digest = _digest(f"{folds},{fold},{limit},{gold_tokens}", [one for one in sources if one.split != "test"])
    held_out = list(examples.get("test", ()))
    return Corpus(name, examples["train"], examples["dev"], sources, digest, folds is not None, left_out, held_out)


def _check_parts(train: Any, dev: Any, folds: int | None, fold: int) -> None:
    """Training data, and dev data or folds but not both."""
    if train is None:
        raise RunnerError("there is no training data", place="corpus.train", hint="Set corpus.train=PATH.")
    if folds is None and dev is None:
        raise RunnerError(
            "there is no dev data",
            place="corpus.dev",
            hint="Set corpus.dev=PATH, or hold back a fifth of the training data: corpus.folds=5.",
        )
    if folds is not None and dev is not None:
        raise RunnerError(
            "there are both dev data and folds of the training data",
            place="corpus.folds",
            hint="Set corpus.dev=null to use the folds, or corpus.folds=null corpus.fold=null for the dev data.",
        )
    if folds is not None and not (folds >= 2 and 0 <= fold < folds):
        raise RunnerError(
            f"there is no fold {fold} of {folds}",
            place="corpus.fold",
            hint="Set corpus.folds to 2 or more, and corpus.fold from 0 to one less.",
        )


def _check_is_some(split: str, examples: Sequence[Example]) -> None:
    if not examples:
        raise RunnerError(
            f"there are no examples in the {split} data",
            place=f"corpus.{split}",
            hint="Check the files, corpus.limit and corpus.folds.",
        )


def _digest(cut: str, sources: Sequence[Source]) -> str:
    """One for all the data: the files' contents, and how they are cut."""
    files = [f"{source.split} {source.sha256} {(archive_of(source.path) or ('', '*'))[1]}" for source in sources]
    return hashlib.sha256("\n".join([cut, *files]).encode()).hexdigest()


def locate(part: Any, key: str) -> list[Path]:
    """The files of one part of a corpus, fetched and verified where it says so. key: "corpus.train", for errors."""
    if isinstance(part, (list, tuple)):
        if not part:
            raise RunnerError("the list is empty", place=key, hint="Name at least one file.")
        return [path for i, item in enumerate(part) for path in locate(item, f"{key}[{i}]")]
    if isinstance(part, (str, Path)):
        return [_existing(Path(part), key)]
    if isinstance(part, Mapping):
        keys = {str(k) for k, value in part.items() if value is not None}
        if "members" in keys:
            rest = {k: value for k, value in part.items() if k != "members"}
            return [path / _inside(part["members"], f"{key}.members") for path in locate(rest, key)]
        if keys == {"bundled"}:
            return [_existing(SAMPLE / _inside(part["bundled"], f"{key}.bundled"), key)]
        if {"url", "sha256"} <= keys <= {"url", "sha256", "mirror"}:
            mirror = _inside(part["mirror"], f"{key}.mirror") if part.get("mirror") else ""
            return [fetch(str(part["url"]), str(part["sha256"]), mirror, key)]
        raise RunnerError(
            f"the keys {', '.join(sorted(keys)) or '(none)'} do not make a file",
            place=key,
            hint="Give a path, {bundled: FILE}, or {url: https://…, sha256: …, mirror: FOLDER/FILE, members: PATTERN}.",
        )
    raise RunnerError(
        f"{part!r} is no path" if part is not None else "no path is set", place=key, hint=f"Set {key}=PATH."
    )


def fetch(url: str, sha256: str, mirror: str, key: str) -> Path:
    """A file of the cache folder, downloaded where it is not there yet; or its copy in RUNNER_DATA_MIRROR.

    mirror: its path below the mirror and the cache folder. Raises RunnerError (two lines) without network, or where the
    content is not what `sha256` says.
    """
    folder = os.environ.get(MIRROR_VARIABLE)
    if folder and mirror:
        path = Path(folder) / mirror
        if not path.is_file():
            raise RunnerError(
                f"there is no file {path}",
                place=f"{key} ({MIRROR_VARIABLE})",
                hint=f"Put {url} there, or unset {MIRROR_VARIABLE} to download it.",
            )
        found = sha256_of(path)
        if found != sha256:
            raise _altered(str(path), sha256, found, key, "Put the original file there.")
        return path
    if not url.startswith("https://"):
        raise RunnerError(f"{url} is no https address", place=key, hint="Give an address that starts with https://.")

    import pooch  # here, because a run on own files needs none of it

    target = Path(pooch.os_cache("runner")) / (mirror or _inside(url.rsplit("/", 1)[-1], f"{key}.url"))
    pooch.get_logger().setLevel("WARNING")
    bar = _DownloadBar(target.name) if sys.stderr.isatty() else None
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            path=target.parent,
            fname=target.name,
            downloader=pooch.HTTPDownloader(progressbar=bar or False, timeout=30),
        )
    except OSError as error:  # what requests raises is an OSError as well
        raise RunnerError(
            f"{url} cannot be downloaded ({_reason(error)})",
            place=key,
            hint=f"Check the network, or set {MIRROR_VARIABLE} to a folder that holds {mirror or target.name}.",
        ) from None
    except ValueError as error:
        hashes = re.findall(r"\b[0-9a-f]{64}\b", str(error))
        found = hashes[-1] if hashes else "?"
        raise _altered(
            url, sha256, found, key, "The file has changed at its origin; check it and update the checksum."
        ) from None
    finally:
        if bar is not None:
            bar.close()
    return target


def _existing(path: Path, key: str) -> Path:
    try:
        is_file = path.is_file() or archive_of(path) is not None
    except OSError as error:  # a name that is too long, a link that leads to itself
        raise RunnerError(f"{str(path)[:60]!r} is no path ({error.strerror})", place=key, hint="Check it.") from None
    if is_file:
        return path
    if path.exists() and not path.is_dir():
        hint = "Write what it gives into a file first, and name that."
        raise RunnerError(f"{path} is a pipe, socket or device, and no file", place=key, hint=hint)
    if path.is_dir():
        raise RunnerError(f"{path} is a folder", place=key, hint="Name a file in it, or a list of files.")
    folder = path.parent
    if not folder.is_dir():
        while not folder.parent.is_dir():
            folder = folder.parent
        missing, folder = folder, folder.parent
        raise RunnerError(f"there is no folder {missing}", place=key, hint=_nearest(missing.name, folder, key, path))
    raise RunnerError(f"there is no file {path}", place=key, hint=_nearest(path.name, folder, key, path))


def _inside(path: Any, key: str) -> str:
    """A path that stays below the folder that it will be put under. Raises RunnerError for any other."""
    parts = str(path).replace("\\", "/").split("/")
    if not parts[0] or ".." in parts or "\0" in str(path) or ":" in parts[0] or not parts[-1].strip("."):
        raise RunnerError(f"{str(path)!r:.80} leads out of its folder", place=key, hint="Give a path like FOLDER/FILE.")
    return str(path)


def _nearest(name: str, folder: Path, key: str, path: Path) -> str:
    """A hint with the existing name that is closest to the one that does not exist."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {folder / near[0]}?"
    return (
        f"{os.path.abspath(folder)} holds {suggest(name, names[:8])}" if names else f"Set {key} to a file that exists."
    )


def _on_words_of(tokenizer: Tokenizer) -> Callable[[Doc], Doc]:
    """Reference → what a pipeline is to predict on."""

    def predict(reference: Doc) -> Doc:
        return Doc.tokenized(reference.text, tokenizer(reference.text), meta=reference.meta, source=reference.source)

    return predict


_Docs = list[list[Doc]] | PackedExamples  # those of each file; or packed


def _fold(docs: _Docs, folds: int, fold: int) -> dict[str, _Docs]:
    """Train and dev docs: in order, they fall into the dev fold or not."""
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
    """Docs and words of each file."""
    return part.per_file() if isinstance(part, PackedExamples) else [(len(some), sum(map(len, some))) for some in part]


def _altered(what: str, wanted: str, found: str, key: str, hint: str) -> RunnerError:
    return RunnerError(f"{what} has the checksum {found[:12]}…, not {wanted[:12]}… (sha256)", place=key, hint=hint)


def _reason(error: OSError) -> str:
    """The first line of an error of the network, without the nesting of its causes."""
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(text).splitlines()[0][:120]


class _DownloadBar:
    """What pooch asks of a progress bar, drawn by rich on stderr."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(name, total=None)
        self._progress.start()

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: float) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: float) -> None:
        self._progress.update(self._task, advance=size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.stop()
