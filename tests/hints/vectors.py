"""Advice about word vectors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from runner.components import carried
from runner.model.vectors.sources import vectors_of_spacy

from .place import TINY, Place, prepare
from .story import story

GLOVE = "Ada 1 0\nmet 0 1\nBo 1 1\n"


@story(
    "model/vectors/text", "Binary vectors: vectors.format=binary.", "else convert the file (iconv -t utf-8)",
    "Text: vectors.format=text.",
)  # fmt: skip
def a_file_of_another_format(at: Place) -> None:
    at.patch.setenv("XDG_CACHE_HOME", str(at.folder / "cache"))
    at.write("glove.bin", GLOVE)
    at.follows("vectors=file", "vectors.path=glove.bin")
    binary = b"2 2\n" + b"".join(w + b" " + np.ones(2, "<f4").tobytes() + b"\n" for w in (b"Ada", b"Bo"))
    (at.folder / "words.vec").write_bytes(binary)
    at.follows("vectors=file", "vectors.path=words.vec")
    (at.folder / "latin.vec").write_bytes("Zürich 1 2\n".encode("latin-1"))
    at.refused("vectors=file", "vectors.path=latin.vec")
    (at.folder / "latin.vec").write_bytes("Zürich 1 2\n".encode())
    prepare(*TINY, "vectors=file", "vectors.path=latin.vec")


@story(
    "model/vectors/spacy_package", "Run `python -m spacy download {}`", 'pip install "declarative-runner[spacy]"'
)  # fmt: skip
def a_spacy_pipeline_that_is_not_there(at: Place) -> None:
    pytest.importorskip("spacy.cli.download")
    at.raised(lambda: vectors_of_spacy("en_gone_md").dim)
    import spacy

    nlp = spacy.blank("en")
    nlp.vocab.set_vector("Ada", np.ones(2, "float32"))
    nlp.to_disk("model")
    at.patch.setenv("XDG_CACHE_HOME", str(at.folder / "cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "spacy.strings", None)
        at.raised(lambda: vectors_of_spacy("model").dim)
    assert vectors_of_spacy("model").dim == 2


@story(
    "commands/vectors", "Write python -m runner vectors train", "TEXTS and -o OUT are needed",
    "Add --force, or give OUT another name.", 'pip install "declarative-runner[vectors]"', "Lower --min-count",
)  # fmt: skip
def vectors_from_text(at: Place) -> None:
    pytest.importorskip("gensim")
    at.command("vectors", code=2)
    at.write("texts.txt", "Ada met Bo.\n" * 9)
    command = ("vectors", "train", "texts.txt", "-o", "words.vec")
    at.command(*command)
    at.command("vectors", "--help")
    at.command(*command, code=2)
    at.command(*command, "--force")
    at.command("vectors", "train", "texts.txt", "-o", "other.vec")
    at.command("vectors", "train", "train.jsonl", "-o", "few.vec", "--min-count", "100", code=2)
    at.command("vectors", "train", "train.jsonl", "-o", "few.vec", "--min-count", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "gensim.models", None)
        at.command(*command, "--force", code=2)


@story("components/carried", "for example vectors.prune=100000")
def too_many_vectors(at: Place) -> None:
    at.patch.setenv("XDG_CACHE_HOME", str(at.folder / "cache"))
    at.patch.setattr(carried, "MAX_CARRIED", (1 << 20) + 200)
    at.write("glove.txt", "".join(f"w{i} 1 {i}\n" for i in range(200)))
    words = (*TINY, "vectors=file", "vectors.path=glove.txt", "output_dir=out")
    at.command(*words, code=2)
    at.patch.setattr(carried, "MAX_CARRIED", 1 << 22)
    at.command(*words, "vectors.prune=100000")
