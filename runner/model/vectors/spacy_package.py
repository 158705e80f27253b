"""Read the word vectors of a spaCy pipeline on disk, from its vocab/ alone. Nothing of the package is imported or run.

vocab/vectors         the matrix, as numpy saves it
vocab/key2row         msgpack: the hash of a word → its row
vocab/strings.json    the words
vocab/vectors.cfg     {"mode": "default"}; vectors of floret have another mode, and no words
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from runner.errors import RunnerError
from runner.files import read_file
from runner.model.vectors.text import Entry

_PLACE = "vectors.model"


def vocab_of(model: str) -> Path:
    """The vocab/ of a pipeline: of a folder, or of an installed package. Raises RunnerError if there is none with vectors."""
    folders = [Path(model)] if Path(model).is_dir() else _installed(model)
    for folder in folders:
        vocab = folder / "vocab"
        if all((vocab / name).is_file() for name in ("vectors", "key2row", "strings.json")):
            return vocab
    if folders:
        fact = f"{model} has no word vectors"
        raise RunnerError(fact, place=_PLACE, hint="Pipelines named _md and _lg have some; those named _sm have none.")
    fact = f"there is no folder and no installed package {model!r}"
    raise RunnerError(fact, place=_PLACE, hint=f"Run `python -m spacy download {model}`, or name a folder.")


def _installed(model: str) -> list[Path]:
    """The folders with a meta.json of an installed package."""
    try:
        files = importlib.metadata.files(model.replace("_", "-")) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    return [Path(str(file.locate())).parent for file in files if file.name == "meta.json"]


def read_spacy(vocab: Path) -> Iterator[Entry]:
    """Yield the words and vectors by row. Raises RunnerError if a file is damaged or the vectors are of another mode."""
    try:
        from spacy.strings import hash_string  # type: ignore[attr-defined]
    except ImportError:
        hint = 'Run `pip install "declarative-runner[spacy]"`.'
        raise RunnerError("spaCy is not installed", place=_PLACE, hint=hint) from None
    try:
        mode = json.loads(read_file(vocab / "vectors.cfg")).get("mode", "default")
        if mode != "default":
            fact = f"the vectors are of mode {mode!r}, which has no table of words"
            raise RunnerError(fact, place=str(vocab), hint="Take another pipeline, or a file of vectors.")
        matrix: Any = np.load(vocab / "vectors", mmap_mode="r", allow_pickle=False)
        row_of = {int(key): int(row) for key, row in srsly.read_msgpack(vocab / "key2row").items()}
        words = json.loads(read_file(vocab / "strings.json"))
        found = sorted((row_of[key], word) for word in words if (key := hash_string(word)) in row_of)
        if matrix.ndim != 2 or not found or not 0 <= found[0][0] <= found[-1][0] < len(matrix):
            raise ValueError("the files do not fit each other")
        for row, word in found:
            yield word, np.asarray(matrix[row], dtype="float32")
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise RunnerError(f"the vectors cannot be read ({error})", place=str(vocab), hint="Install it again.") from None
