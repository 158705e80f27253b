"""When training data is packed: once it holds more words than shall be in memory, and until then never.

    docs = read_or_pack(files, read, predict, packing)         lists of docs, one a file, or PackedExamples

The packed file lies in a cache folder, named by a digest of all that decides its content: the data files' contents, the
reader's and tokenizer's config, how many docs are read, and this room's own source code. So nothing in it can be out of
date; a file that is damaged or of another format is made again. Two runs that pack the same data at once both do the
work and end with the same file. Files of data that is no longer used stay until somebody deletes them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from runner.corpus.digests import signature
from runner.corpus.doc import Doc
from runner.corpus.packed.arrays import Arrays, ArrayWriter, Damaged
from runner.corpus.packed.docs import PackedDocs
from runner.corpus.packed.examples import PackedExamples
from runner.corpus.packed.writer import FORMAT, Packer
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunFailed, RunnerError
from runner.files import recover

BYTES_PER_WORD = 8  # of a data file: where more fit, packed docs are looked for before anything is read

_LIBRARIES = ("syntok", "regex", "spacy")


@dataclass(frozen=True)
class Packing:
    """in_memory_words: up to this many words (of the references) are not packed. folder: of the packed files, made when
    needed; None is the user's cache folder. recipe: what decides, beside the files, what is read from them.
    """

    in_memory_words: int
    folder: Path | None
    recipe: str

    def cache(self) -> Path:
        """The folder, or that of the user's cache."""
        if self.folder is not None:
            return self.folder.absolute()
        import pooch  # here, because a run on little data needs none of it

        return Path(pooch.os_cache("runner"))


def read_or_pack(
    files: Sequence[tuple[Path, str]],
    read: Callable[[Path], Iterator[Doc]],
    predict: Callable[[Doc], Doc] | None,
    packing: Packing | None,
    left_out: LeftOut | None = None,
) -> list[list[Doc]] | PackedExamples:
    """The docs of the files, in memory where they are few and packed where they are many.

    files: paths and checksums. predict: the words that a pipeline predicts on; None: the docs' own. packing: None reads
    everything into memory. left_out: `read`'s tally; where nothing is read it gets what was counted when it was.
    Raises RunnerError as `read` does, and where a file changes meanwhile; RunFailed where the cache folder cannot be
    written.
    """
    if packing is None:
        return [list(read(path)) for path, _ in files]
    tally: LeftOut = left_out if left_out is not None else LeftOut()
    is_looked_up = _size(files) > BYTES_PER_WORD * packing.in_memory_words
    if is_looked_up and (known := _open(files, packing)) is not None:
        return _known(known, files, tally)
    docs: list[list[Doc]] = []
    n_words = 0
    for path, _ in files:
        docs.append([])
        for doc in (stream := read(path)):
            docs[-1].append(doc)
            n_words += len(doc)
            if n_words > packing.in_memory_words:
                known = _open(files, packing) if not is_looked_up else None
                if known is None:
                    return PackedExamples(_pack(files, docs, stream, read, predict, packing, tally))
                tally.clear()
                return _known(known, files, tally)
    return docs


def _known(packed: PackedDocs, files: Sequence[tuple[Path, str]], left_out: LeftOut) -> PackedExamples:
    """The packed docs; what was left out and remarked when they were read is told again."""
    left_out.update(packed.left_out)
    left_out.restore_remarks(packed.remarks, [path for path, _ in files])
    return PackedExamples(packed)


def _pack(
    files: Sequence[tuple[Path, str]],
    docs: list[list[Doc]],
    stream: Iterator[Doc],
    read: Callable[[Path], Iterator[Doc]],
    predict: Callable[[Doc], Doc] | None,
    packing: Packing,
    left_out: LeftOut,
) -> PackedDocs:
    """Write the docs read so far (which are let go), the rest of `stream`, the files after it, and what was left out."""
    path = _path(files, packing)
    _tidy(path.parent)
    before = [signature(_file(data)) for data, _ in files]

    def pack(doc: Doc) -> None:
        packer.add(doc, predict(doc) if predict is not None else None)
        count(len(doc))

    try:
        with ArrayWriter(path.parent) as writer, _progress() as count:
            packer = Packer(writer)
            n_started = len(docs)
            for i, (data, _) in enumerate(files):
                packer.open(_file(data))
                if i < n_started:
                    some, docs[i] = docs[i], []
                    some.reverse()
                    while some:
                        pack(some.pop())
                for doc in stream if i == n_started - 1 else read(data) if i >= n_started else ():
                    pack(doc)
            for (data, _), signed in zip(files, before, strict=True):
                if signature(_file(data)) != signed:
                    raise RunnerError("the file changed while it was read", place=str(data), hint="Start again.")
            about = {"left_out": dict(left_out), "remarks": left_out.plain_remarks([data for data, _ in files])}
            packer.finish(path, {"format": FORMAT, "key": path.stem, **about})
    except OSError as error:
        raise _refused(path.parent, error) from error
    packed = _open(files, packing)
    if packed is None:
        raise RunFailed("what was written cannot be read back", place=str(path), hint="Check the disk.")
    return packed


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A function that is told of words, and shows their number on a terminal."""
    if not sys.stderr.isatty():
        yield lambda n_words: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("packing the training data, once: {task.completed:,} words"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        n_unshown = 0

        def count(n_words: int) -> None:
            nonlocal n_unshown
            n_unshown += n_words
            if n_unshown > 10_000:
                progress.advance(task, n_unshown)
                n_unshown = 0

        yield count


def _tidy(folder: Path) -> None:
    """Remove what a run that was killed while it packed has left."""
    with suppress(OSError):  # a cache that can only be read, say
        recover(folder, lambda name: name.endswith(".arrays"))


def _open(files: Sequence[tuple[Path, str]], packing: Packing) -> PackedDocs | None:
    """The packed docs, where they are on disk, whole, and too many for memory."""
    path = _path(files, packing)
    _tidy(path.parent)
    try:
        arrays = Arrays(path)
        if arrays.about.get("format") != FORMAT or arrays.about.get("key") != path.stem:
            return None
        packed = PackedDocs(arrays, [_file(data) for data, _ in files])
    except (FileNotFoundError, NotADirectoryError, Damaged):
        return None
    except OSError as error:
        raise _refused(path.parent, error) from error
    return packed if packed.n_words > packing.in_memory_words else None


def _refused(path: Path, error: OSError) -> RunnerError:
    is_choice = isinstance(error, PermissionError | NotADirectoryError | FileExistsError) or error.errno == errno.EROFS
    return (RunnerError if is_choice else RunFailed)(
        f"training data cannot be packed in {path}: {error.strerror or error}",
        place="corpus.cache",
        hint="Set it to a folder with space, or corpus.in_memory_words to hold more in memory.",
    )


def _path(files: Sequence[tuple[Path, str]], packing: Packing) -> Path:
    """The packed file of this data."""
    contents = [[sha256, (archive_of(path) or ("", "*"))[1], path.suffixes[-2:]] for path, sha256 in files]
    key = hashlib.sha256(json.dumps([FORMAT, contents, packing.recipe, _source_code()]).encode()).hexdigest()
    return packing.cache() / "packed" / f"{key}.arrays"


def _file(path: Path) -> Path:
    return (archive_of(path) or (path, ""))[0]


def _size(files: Sequence[tuple[Path, str]]) -> int:
    """Bytes of the files."""
    return sum(_file(path).stat().st_size for path, _ in files)


@cache
def _source_code() -> str:
    """A digest of the code that makes docs of files, and of the versions of the libraries that cut their words."""
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{library} {version(library)}\n".encode())
    folder = Path(__file__).parent.parent  # the room corpus
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
