"""Pack training data into a file if it holds more words than may stay in memory.

    docs = read_or_pack(files, read, predict, packing)         a list of docs for each file, or PackedExamples
    packed, told = repacked(packed, change, key, tell)         other annotation of packed docs

The packed file lies in a cache folder. Its name is a digest of everything that decides its content: the data files, the
config of reader and tokenizer, the number of docs to read, and the source code of corpus/. So it is never out of date; a
damaged file, or one of another format, is packed again. Two runs that pack the same data at once both do the work and end
with the same file. Files of unused data stay until somebody deletes them.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from runner.corpus.digests import signature
from runner.corpus.doc import Doc
from runner.corpus.packed.arrays import Arrays, ArrayWriter, DamagedArrays
from runner.corpus.packed.docs import PackedDocs
from runner.corpus.packed.examples import PackedExamples
from runner.corpus.packed.writer import FORMAT, Packer
from runner.corpus.readers.archive import archive_of
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunFailed, RunnerError
from runner.files import recover
from runner.progress import counting

BYTES_PER_WORD = 8  # of a data file: if its size suggests too many words, packed docs are looked up before reading

_LIBRARIES = ("syntok", "regex", "spacy")


@dataclass(frozen=True)
class Packing:
    """When and where to pack.

    in_memory_words: pack data with more reference words. folder: for packed files, made when needed; None: the user's cache
    folder. recipe: a text that changes whenever the same files would be read differently.
    """

    in_memory_words: int
    folder: Path | None
    recipe: str

    def cache(self) -> Path:
        """The absolute path of `folder`, or of the user's cache folder."""
        if self.folder is not None:
            return self.folder.absolute()
        import pooch  # here, because a run on little data does not need it

        return Path(pooch.os_cache("runner"))


def read_or_pack(
    files: Sequence[tuple[Path, str]],
    read: Callable[[Path], Iterator[Doc]],
    predict: Callable[[Doc], Doc] | None,
    packing: Packing | None,
    left_out: LeftOut | None = None,
) -> list[list[Doc]] | PackedExamples:
    """The docs of the files: in memory if they are few, packed if they are many.

    files: (path, checksum) of each. predict: reference → unannotated doc to predict on; None: on the reference's words.
    packing: None: read everything into memory. left_out: the tally that `read` fills; if packed docs exist and nothing is
    read, the tally of the packing is restored into it. Raises RunnerError as `read` does, or if a file changes meanwhile;
    RunFailed if the cache folder cannot be written.
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
    """The packed examples; `left_out` gets the tally and the remarks of the time when they were packed."""
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
    """Pack the docs read so far (and free them), the rest of `stream`, the files after it, and the tally `left_out`."""
    path = _path(files, packing)
    _tidy(path.parent)
    before = [signature(_file(data)) for data, _ in files]

    def pack(doc: Doc) -> None:
        packer.add(doc, predict(doc) if predict is not None else None)
        count(len(doc))

    try:
        with ArrayWriter(path.parent) as writer, counting("packing the training data, once") as count:
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
        raise RunFailed("the packed data cannot be read back", place=str(path), hint="Check the disk.")
    return packed


def repacked(
    examples: PackedExamples,
    change: Callable[[Iterable[Doc]], Iterator[Doc]],
    key: str,
    tell: Callable[[], dict[str, Any]],
) -> tuple[PackedExamples, dict[str, Any]]:
    """Packed examples whose references are changed, and what `tell` tells when all are, a mapping of JSON values.

    change: references → references in the same order, on the same tokens. key: a text that changes whenever `change` would
    change docs otherwise; what was packed under the same key is not made again. Raises RunFailed if the cache folder cannot be
    written.
    """
    docs = examples.docs
    numbers = hashlib.sha256(np.ascontiguousarray(examples.numbers, dtype="int64").tobytes()).hexdigest()
    name = hashlib.sha256(json.dumps([FORMAT, docs.arrays.path.stem, numbers, key]).encode()).hexdigest()
    path = docs.arrays.path.with_name(f"{name}.arrays")
    paths = [Path(path) for path in docs.paths]
    if (known := _opened(path, paths)) is not None:
        return PackedExamples(known), dict(known.arrays.about["told"])
    is_own = docs.predicted_words is not docs.words
    files = np.searchsorted(docs.file_starts, examples.numbers, side="right") - 1
    try:
        with ArrayWriter(path.parent) as writer:
            packer = Packer(writer)
            numbers_of = [(data, examples.numbers[files == file].tolist()) for file, data in enumerate(paths)]
            changed = change(docs.reference(number) for _, of_file in numbers_of for number in of_file)
            for data, of_file in numbers_of:
                packer.open(data)
                for number in of_file:
                    packer.add(next(changed), docs.predicted(number) if is_own else None)
            told = tell()
            packer.finish(path, {"format": FORMAT, "key": path.stem, "told": told})
    except OSError as error:
        raise _refused(path.parent, error) from error
    packed = _opened(path, paths)
    if packed is None:
        raise RunFailed("the packed data cannot be read back", place=str(path), hint="Check the disk.")
    return PackedExamples(packed), told


def _tidy(folder: Path) -> None:
    """Remove the temporary files of a run that was killed while packing."""
    with suppress(OSError):  # such as a read-only cache
        recover(folder, lambda name: name.endswith(".arrays"))


def _open(files: Sequence[tuple[Path, str]], packing: Packing) -> PackedDocs | None:
    """The packed docs; None if they are not on disk, damaged, or few enough for memory."""
    path = _path(files, packing)
    _tidy(path.parent)
    packed = _opened(path, [_file(data) for data, _ in files])
    return packed if packed is not None and packed.n_words > packing.in_memory_words else None


def _opened(path: Path, files: Sequence[Path]) -> PackedDocs | None:
    """The packed docs in the file; None if they are not on disk, or damaged. files: that they were read from."""
    try:
        arrays = Arrays(path)
        if arrays.about.get("format") != FORMAT or arrays.about.get("key") != path.stem:
            return None
        return PackedDocs(arrays, files)
    except (FileNotFoundError, NotADirectoryError, DamagedArrays):
        return None
    except OSError as error:
        raise _refused(path.parent, error) from error


def _refused(path: Path, error: OSError) -> RunnerError:
    is_choice = isinstance(error, PermissionError | NotADirectoryError | FileExistsError) or error.errno == errno.EROFS
    return (RunnerError if is_choice else RunFailed)(
        f"training data cannot be packed in {path}: {error.strerror or error}",
        place="corpus.cache",
        hint="Set corpus.cache to a folder with space, or raise corpus.in_memory_words to hold more in memory.",
    )


def _path(files: Sequence[tuple[Path, str]], packing: Packing) -> Path:
    """The path of the packed file of this data."""
    contents = [[sha256, (archive_of(path) or ("", "*"))[1], path.suffixes[-2:]] for path, sha256 in files]
    key = hashlib.sha256(json.dumps([FORMAT, contents, packing.recipe, _source_code()]).encode()).hexdigest()
    return packing.cache() / "packed" / f"{key}.arrays"


def _file(path: Path) -> Path:
    return (archive_of(path) or (path, ""))[0]


def _size(files: Sequence[tuple[Path, str]]) -> int:
    """The size of all files, in bytes."""
    return sum(_file(path).stat().st_size for path, _ in files)


@cache
def _source_code() -> str:
    """A digest of the code that reads docs, and of the versions of the libraries that tokenize."""
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{library} {version(library)}\n".encode())
    folder = Path(__file__).parent.parent  # runner/corpus
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
