"""Read texts from a zip archive: each file is one text, and the file's folder names the category.

    reviews.zip
      reviews/neg/cv000.txt        {"neg": 1.0}
      reviews/pos/cv000.txt        {"pos": 1.0}

A path may end in a pattern of file names: `reviews.zip/reviews/*/cv[0-7]*` (`*` matches anything, `/` too). One archive
can thus hold train, dev and test. Nothing is unpacked to disk. Texts are sorted by file name, then by folder, which
mixes the categories.
"""

from __future__ import annotations

import codecs
import struct
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from runner.corpus.doc import Doc
from runner.corpus.readers.lines import MAX_LINE, bomb, no_examples, unpacked_limit
from runner.corpus.readers.not_utf8 import guess_encoding
from runner.corpus.readers.reader import Reader
from runner.corpus.tokenizer import Tokenizer, syntok, whitespace
from runner.errors import RunnerError
from runner.registry import readers


def archive_of(path: Path) -> tuple[Path, str] | None:
    """Split `path` into an archive and a pattern of names in the archive ("*": all); None without an archive.

    The archive must exist on disk: in `a.zip/b`, `a.zip` must be a file.
    """
    for candidate in (path, *path.parents):
        if candidate.suffix.lower() == ".zip" and candidate.is_file():
            return candidate, path.relative_to(candidate).as_posix() if candidate != path else "*"
    return None


@readers("zipped_texts")
def zipped_texts(encoding: str = "utf-8", *, is_tokenized: bool = False) -> Reader:
    """A reader of zipped texts. encoding: the texts' encoding. is_tokenized: split words at white space only."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise RunnerError(f"unknown encoding {encoding!r}", hint="For example utf-8, latin-1 or cp1252.") from None

    def read(path: Path, tokenizer: Tokenizer | None = None) -> Iterator[Doc]:
        """Yield the archive's docs, each with one category. tokenizer: None means syntok."""
        inside = archive_of(path)
        if inside is None:
            raise RunnerError("this is no zip archive", place=str(path), hint="Give a path to a file named .zip.")
        archive, pattern = inside
        split = whitespace() if is_tokenized else tokenizer or syntok()
        try:
            left = unpacked_limit(archive)
            with zipfile.ZipFile(archive) as stream:
                names = [name for name in stream.namelist() if not name.endswith("/") and fnmatchcase(name, pattern)]
                if not names:
                    raise no_examples(path)
                for name in sorted(names, key=lambda name: (PurePosixPath(name).name, name)):
                    place = f"{archive}/{name}"
                    with stream.open(name) as file:
                        content = file.read(MAX_LINE + 1)
                    left -= len(content)
                    if left < 0:
                        raise bomb(str(archive))
                    if len(content) > MAX_LINE:
                        raise RunnerError(
                            f"the file is longer than {MAX_LINE:,} bytes", place=place, hint="Cut it, or remove it."
                        )
                    text = _decoded(content, encoding, place)
                    label = PurePosixPath(name).parent.name
                    if not label:
                        raise RunnerError("the file lies in no folder", place=place, hint="Its folder is its category.")
                    tokens = split(text)
                    if not tokens[0]:
                        raise RunnerError("there are no words in the file", place=place, hint="Remove it.")
                    yield Doc.tokenized(text, tokens, cats={label: 1.0}, source=place)
        except (
            zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError, LookupError, OverflowError,
        ) as error:  # fmt: skip
            raise RunnerError(
                f"the archive cannot be unpacked ({error})", place=str(archive), hint="Fetch or make it again."
            ) from None
        except RuntimeError as error:  # zipfile raises RuntimeError for a password
            if isinstance(error, RunnerError):
                raise
            raise RunnerError(f"{error}", place=str(archive), hint="Make an archive without password.") from None
        except OSError as error:
            raise RunnerError(
                f"the file cannot be read ({error.strerror or error})", place=str(archive), hint="Check the path."
            ) from None

    return read


def _decoded(raw: bytes, encoding: str, place: str) -> str:
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        guess = guess_encoding(raw)
        hint = "Set corpus.reader.encoding to the encoding of the texts."
        if guess is not None and guess != "UTF-8":
            hint = f"They look like {guess}: corpus.reader.encoding={guess.lower()}"
        raise RunnerError(
            f"byte 0x{raw[error.start]:02x} is not {encoding}", place=f"{place}:{line}", hint=hint
        ) from None
