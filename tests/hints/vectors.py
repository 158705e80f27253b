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


SHAPE = ("tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100")


@story("commands/pretrain", "Name them: python -m runner pretrain raw.txt")
def pretraining_without_texts(at: Place) -> None:
    at.command("pretrain", "seed=1", code=2)
    at.write("raw.txt", "Ada met Bo .\n" * 30)
    quick = (*SHAPE, "tracking=none", "training.max_epochs=1")
    at.command("pretrain", "raw.txt", *quick)
    at.command("pretrain", "raw.txt", *quick, "pipeline.components.words.hidden=1.5", code=2)
    at.command("pretrain", "raw.txt", *quick, "pipeline.components.words.hidden=0.15")


@story(
    "launch/pretrained", "Name a model that has some: python -m runner pretrain TEXTS makes one.",
    "Leave init.tok2vec out; init.model brings token vectors of its own.",
)  # fmt: skip
def token_vectors_that_do_not_fit(at: Place) -> None:
    at.write("raw.txt", "Ada met Bo .\n" * 30)
    at.command("pretrain", "raw.txt", *SHAPE, "tracking=none", "training.max_epochs=1", "output_dir=pre")
    at.write("cats.jsonl", [{"text": f"Ada met Bo {i}", "cats": {"A": i % 2, "B": 1 - i % 2}} for i in range(6)])
    cats = ("corpus=files", "corpus.train=cats.jsonl", "corpus.dev=cats.jsonl", "pipeline=textcat_bow")
    at.command(*cats, "tracking=none", "training.max_epochs=1", "output_dir=bow")
    at.refused("init.tok2vec=bow")
    at.command(*TINY, "init.tok2vec=pre", "output_dir=out")
    again = (*TINY[:3], "tracking=none", "training.max_epochs=1", "init.model=out")
    at.command(*again, "init.tok2vec=pre", code=2)
    at.command(*again)
    at.command(*TINY, "init.tok2vec=pre", "tok2vec.width=32", code=2)
    at.command(
        "pretrain", "raw.txt", *SHAPE, "tok2vec.width=32", "tracking=none", "training.max_epochs=1", "output_dir=wide"
    )
    at.command(*TINY, "init.tok2vec=wide", "tok2vec.width=32")
