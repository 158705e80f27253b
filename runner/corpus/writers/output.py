"""A file of docs: which format its name says, and a stream into the whole file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from runner.files import open_whole

SUFFIX_OF = {"jsonl": ".jsonl", "conllu": ".conllu", "iob": ".iob", "table": ".csv", "docbin": ".spacy"}
FORMAT_OF = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".conllu": "conllu",
    ".iob": "iob", ".iob2": "iob", ".bio": "iob", ".conll": "iob",
    ".csv": "table", ".spacy": "docbin",
}  # fmt: skip


def format_of_name(name: str) -> str | None:
    """The format that a file's name says, with or without `.gz`; None: it says none."""
    plain = name[: -len(".gz")] if name.lower().endswith(".gz") else name
    return FORMAT_OF.get(Path(plain).suffix.lower())


@contextmanager
def open_output(path: Path, stream: BinaryIO | None = None) -> Iterator[TextIOWrapper]:
    """Yield a text stream into the file, which appears whole or not at all; gzipped if the name ends in `.gz`.

    stream: to write into instead of the file.
    """
    with ExitStack() as stack:
        raw: BinaryIO = stream if stream is not None else stack.enter_context(open_whole(path))
        if path.name.endswith(".gz"):
            raw = cast(BinaryIO, stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)))
        text = TextIOWrapper(raw, encoding="utf-8", newline="\n", write_through=False)
        try:
            yield text
            text.flush()
        finally:
            text.detach()


def write_piece(stream: TextIOWrapper, piece: str | bytes) -> None:
    """Write a writer's piece. A writer gives text alone, or bytes alone."""
    if isinstance(piece, bytes):
        stream.buffer.write(piece)
    else:
        stream.write(piece)
