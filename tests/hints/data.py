"""Advice about data: corpora, readers, what can be learned from them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from runner.config.compose import compose
from runner.corpus.annotations import read_annotations
from runner.corpus.biluo import iob_to_spans
from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.doc import Doc
from runner.corpus.packed.arrays import ArrayWriter
from runner.corpus.packed.writer import Packer
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.tokenizer import spacy, whitespace

from .place import BOW, DEV, NAMES, TINY, Place, alternatives, prepare, takes
from .story import story

NOT_EXCLUSIVE = "pipeline.components.textcat.exclusive=false"


@story("corpus/datasets", "Set corpus.train=PATH.")
def no_training_data(at: Place) -> None:
    at.follows("corpus.train=null")


@story("corpus/locate", "Set {}=PATH.")
def a_number_for_a_path(at: Place) -> None:
    at.follows("corpus.train=3")


@story("corpus/datasets", "or hold back a fifth of the training data")
def no_dev_data(at: Place) -> None:
    at.follows("corpus.dev=null")


@story("corpus/datasets", "to use the folds, or")
def folds_beside_dev_data(at: Place) -> None:
    at.follows("corpus.folds=2", "corpus.fold=1")


@story("corpus/datasets", "Set corpus.folds to 2 or more", config__ranges="Set corpus.folds to the number")
def no_such_fold(at: Place) -> None:
    at.refused("corpus.dev=null", "corpus.fold=3")
    parts = {"reader": jsonl(), "tokenizer": whitespace()}
    at.raised(load_corpus, CorpusSpec("train.jsonl", folds=2, fold=3), **parts)
    assert load_corpus(CorpusSpec("train.jsonl", folds=4, fold=3), **parts).dev
    prepare(*TINY, "corpus.dev=null", "corpus.folds=4", "corpus.fold=3")


@story("corpus/datasets", "Check the files, corpus.limit and corpus.folds.")
def a_part_without_examples(at: Place) -> None:
    at.refused("corpus.dev=null", "corpus.folds=2", "corpus.limit=1")
    prepare(*TINY, "corpus.dev=null", "corpus.folds=2", "corpus.limit=2")
    prepare(*TINY, "corpus.limit=1")


@story("corpus/packed/writer", "packs nothing")
def what_cannot_be_packed(at: Place) -> None:
    with ArrayWriter(at.folder) as writer:
        packer = Packer(writer)
        packer.open(Path("f"))
        error = at.raised(packer.add, Doc(["a"], meta={"x": object()}))
        packer.finish(at.folder / "packed", {})
    at.follow(error)


@story("corpus/packed/packing", "Set corpus.cache to a folder with space")
def no_place_to_pack(at: Place) -> None:
    at.refused("corpus.in_memory_words=0", "corpus.cache=train.jsonl")
    prepare(*TINY, "corpus.in_memory_words=0", "corpus.cache=cache")
    prepare(*TINY, "corpus.in_memory_words=1000000", "corpus.cache=train.jsonl")


@story("corpus/readers/archive", "Set corpus.reader.encoding to the encoding", "They look like {}")
def texts_of_another_encoding(at: Place) -> None:
    words = (*BOW, "corpus.train=a.zip", "corpus.reader.type=zipped_texts", "corpus.dev=a.zip")
    for encoding in ("cp1252", "utf8"):
        with zipfile.ZipFile("a.zip", "w") as archive:
            for label in ("pos", "neg"):
                archive.writestr(f"{label}/0.txt", "a café for “you” and me, – it’s very good".encode(encoding))
        error = at.refused(*words, *(["+corpus.reader.encoding=ascii"] if encoding == "utf8" else []))
        if encoding == "utf8":
            prepare(*TINY, *words, "+corpus.reader.encoding=utf8")
        else:
            overrides = [f"+{word}" for word in str(error.hint).split() if "=" in word]
            prepare(*TINY, *words, *overrides)


@story("corpus/readers/auto", "is not used: the file is read by")
def an_option_that_the_reader_does_not_take(at: Place) -> None:
    assert "corpus.reader.scheme is not used" in at.command(*TINY, "output_dir=out", "corpus.reader.scheme=iob1")
    assert "is not used" not in at.command(*TINY, "output_dir=out")


@story("corpus/readers/iob", "if it is another: corpus.reader.scheme=iob2")
def it_looks_like_another_scheme(at: Place) -> None:
    at.write("train.iob", "Ada U-PER\nmet O\n\nNew B-LOC\nYork O\n\n")
    at.refused("corpus.train=train.iob")
    at.write("train.iob", "Ada B-PER\nmet O\n\nNew B-LOC\nYork I-LOC\n\n")
    prepare(*TINY, "corpus.train=train.iob", "corpus.reader.scheme=iob2")


@story("corpus/biluo", "or read the file with corpus.reader.scheme=iob1")
def an_entity_opens_with_I(at: Place) -> None:
    error = at.refused("corpus.train=train.iob", "corpus.reader.scheme=iob2")
    at.follow(error, "corpus.train=train.iob")
    assert iob_to_spans(["B-PER"], "iob2") == [(0, 1, "PER")]


@story("corpus/readers/table", "Say what stands between the cells")
def a_table_of_one_column(at: Place) -> None:
    at.write("train.csv", "text#label\ngood film#A\nbad film#B\n")
    at.follows(*BOW, "corpus.train=train.csv", "corpus.dev=train.csv")


@story("corpus/readers/table", "in quotes, or say what stands between them")
def a_comma_in_a_cell(at: Place) -> None:
    at.write("train.csv", "text,label\ngood, very good,A\nbad film,B\n")
    at.refused(*BOW, "corpus.train=train.csv")
    at.write("train.csv", 'text,label\n"good, very good",A\nbad film,B\n')
    prepare(*TINY, *BOW, "corpus.train=train.csv")
    at.write("train.csv", "text;label\ngood, very good;A\nbad film;B\n")
    prepare(*TINY, *BOW, "corpus.train=train.csv", "corpus.dev=train.csv", "corpus.reader.delimiter=';'")


@story("corpus/readers/table", "set corpus.reader.separator where a text may have none")
def an_empty_label(at: Place) -> None:
    at.write("train.csv", "text,label\ngood film,A\nbad film,B\nfilm,\n")
    at.refused(*BOW, "corpus.train=train.csv")
    prepare(*TINY, *BOW, "corpus.train=train.csv", "corpus.reader.separator='|'", "corpus.dev=train.csv", NOT_EXCLUSIVE)


@story(
    "corpus/readers/docbin",
    'Run `pip install "declarative-runner[spacy]"`, or',
    corpus__tokenizer="or choose pipeline.tokenizer.type=syntok",
)
def spacy_is_missing(at: Place) -> None:
    for name in ("spacy", "spacy.attrs", "spacy.strings"):  # another test may have loaded them
        at.patch.setitem(sys.modules, name, None)
    at.follow(at.raised(spacy, "en"))
    at.write("train.spacy", "x")
    error = at.refused("corpus.train=train.spacy")
    assert 'pip install "declarative-runner[spacy]"' in str(error)
    takes_extra("spacy")


@story("corpus/readers/not_utf8", "iconv {}-f {} -t UTF-8")
def a_text_in_another_encoding(at: Place) -> None:
    (at.folder / "train.csv").write_bytes("text,label\n“good” café,A\nbad – film,B\n".encode("cp1252"))
    words = (*BOW, "corpus.train=train.csv")
    error = at.refused(*words)
    subprocess.run(str(error.hint).partition(": ")[2], shell=True, check=True)
    prepare(*TINY, *BOW, "corpus.train=train.utf8.csv")


@story("corpus/annotations", "Set pipeline.tokenizer.")
def a_text_and_no_tokenizer(at: Place) -> None:
    at.raised(read_annotations, {"text": "Ada met Bo"}, None, "a:1")
    at.write("train.jsonl", [{"text": "Ada met Bo", "entities": [[0, 3, "PER"]]}] * 2)
    prepare(*TINY, "pipeline.tokenizer.type=whitespace")


@story("components/base", "Give batch.stop a number.")
def no_batch_size_is_known(at: Place) -> None:
    at.refused("batch=growing", "+batch.component=mine")
    prepare(*TINY, "batch=growing", "+batch.component=mine", "batch.stop=8")


# What can be learned


@story("components/textcat", "exclusive=false where a text can be of several")
def categories_add_up_to_more_than_one(at: Place) -> None:
    cats: list[dict[str, Any]] = [{"A": 1, "B": 1}, {"A": 1, "B": 0}, {"A": 0, "B": 1}]
    at.write("train.jsonl", [{"text": "film", "cats": one} for one in cats])
    at.follows("pipeline=textcat_bow", "corpus.dev=train.jsonl")


@story("components/textcat", "where each text is of one category, set")
def no_text_lacks_a_label(at: Place) -> None:
    error = at.refused(*BOW, "corpus.train=train.csv", NOT_EXCLUSIVE)
    at.follow(error, *BOW, "corpus.train=train.csv")


@story("components/base", "the right file, and corpus.reader")
def no_label_in_the_training_data(at: Place) -> None:
    at.write("train.jsonl", [DEV])
    at.follow(at.refused("pipeline=parser_fast"))
    at.write("train.jsonl", [{"words": ["Bo", "left"]}])
    at.refused("pipeline=parser_fast")
    takes(["corpus.reader"])
    prepare(*TINY, "corpus.train=train.iob")


@story("commands/degenerate", "or hold back a part of the training data", "another corpus.dev", "another corpus.fold")
def dev_data_that_tells_nothing(at: Place) -> None:
    at.write("plain.jsonl", [{"words": ["Bo", "left"]}])
    at.follow(at.refused("corpus.dev=plain.jsonl"))
    at.write("sorted.jsonl", [NAMES, NAMES, {"words": ["Bo", "left"]}])
    folded = ("corpus.train=sorted.jsonl", "corpus.dev=null", "corpus.folds=3")
    at.refused(*folded, "corpus.fold=2")
    prepare(*TINY, *folded, "corpus.fold=1")
    words = ("output_dir=out", "corpus.dev=train.jsonl")
    assert "Choose another corpus.dev" in at.command(*TINY, *words)
    assert "warning" not in at.command(*TINY, *words, "corpus.dev=null", "corpus.folds=5")
    assert "warning" not in at.command(*TINY, *words, "corpus.dev=dev.jsonl")


@story("commands/degenerate", "another corpus.test")
def test_data_that_is_dev_data(at: Place) -> None:
    assert "also dev data" in at.command("debug", *TINY, "corpus.test=dev.jsonl")
    at.write("test.jsonl", [NAMES])
    assert "also dev data" not in at.command("debug", *TINY, "corpus.test=test.jsonl")


@story("commands/debug/findings", "Annotate some, choose another corpus.dev")
def what_debug_says_of_annotation(at: Place) -> None:
    at.write("plain.jsonl", [{"words": ["Bo", "left"]}])
    at.command("debug", *TINY, "corpus.train=plain.jsonl", code=1)
    at.command("debug", *TINY, "corpus.dev=plain.jsonl", code=1)
    at.command("debug", *TINY, "corpus.dev=null", "corpus.folds=5")


@story("components/ner", "check their offsets, or pipeline.tokenizer")
def what_debug_says_of_texts(at: Place) -> None:
    at.write("train.jsonl", [{"text": "Adamet Bo", "entities": [[0, 3, "PER"], [7, 9, "PER"]]}] * 2)
    assert "do not align" in at.command("debug", *TINY)
    takes(["pipeline.tokenizer"])


def takes_extra(name: str) -> None:
    """pip install "declarative-runner[NAME]" installs something."""
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    assert name in tomllib.loads(project.read_text(encoding="utf8"))["project"]["optional-dependencies"]


@story("corpus/readers/exports", "Name them in their order", "Name all of them, in their order")
def tags_that_are_numbers(at: Place) -> None:
    at.write("train.jsonl", [{"tokens": ["Ada", "met", "Bo"], "ner_tags": [1, 0, 1]}])
    error = at.refused()
    (overrides,) = alternatives(error.hint or "")
    prepare(*TINY, *overrides)
    at.refused("corpus.reader.names=[O]")
    prepare(*TINY, "corpus.reader.names=[O,B-PER]")


@story("components/parser_pieces", "End its sentences in the data, or set")
def a_tree_that_is_too_long(at: Place) -> None:
    tree = {"words": ["Ada", "met", "Bo"], "heads": [1, 1, 1], "deps": ["nsubj", "root", "obj"]}
    at.write("train.jsonl", [tree] * 2)
    at.write("dev.jsonl", [tree])
    words = ("pipeline=parser_fast", "output_dir=out")
    said = at.command(*TINY, *words, "pipeline.components.parser.max_length=2", code=2)
    (overrides,) = alternatives(said)
    at.command(*TINY, *words, *overrides)


@story("languages", "the tokenizer's language is {}", "or remove pipeline.tokenizer.lang")
def two_languages(at: Place) -> None:
    pytest.importorskip("spacy")
    words = ("pipeline.tokenizer.type=spacy", "pipeline.tokenizer.lang=de")
    at.follows(*words)
    prepare(*TINY, "pipeline.tokenizer.type=spacy")


@story(
    "corpus/no_labels", "Else set pipeline.tokenizer", "takes each character for a token", "splits words where spaCy's library",
)  # fmt: skip
def entities_that_do_not_fit(at: Place) -> None:
    pytest.importorskip("spacy")
    at.write("train.jsonl", [{"text": "Adamet Bo", "entities": [[0, 3, "PER"]]}] * 2)
    at.refused()
    at.write("train.jsonl", [{"text": "Ada met Bo", "entities": [[0, 3, "PER"]]}] * 2)
    prepare(*TINY)
    at.write("train.jsonl", [{"text": "私は東京に住んでいます。", "entities": [[2, 4, "LOC"]]}] * 2)
    at.write("dev.jsonl", [{"text": "彼は東京に行きました。", "entities": [[2, 4, "LOC"]]}])
    error = at.refused()
    prepare(*TINY, *str(error.hint).partition(" takes each")[0].split())
    compose([*TINY, "pipeline.tokenizer.type=spacy", "pipeline.lang=ja"])


@story(
    "corpus/tokenizer", "sudachipy sudachidict_core", "pip install natto-py", "pip install pythainlp", "pip install pyvi",
    "Set pipeline.lang={}{}.",
)  # fmt: skip
def libraries_behind_spacy(at: Place) -> None:
    library = pytest.importorskip("spacy")

    def missing(lang: str) -> None:
        raise ImportError("no library")

    with at.patch.context() as patch:
        patch.setattr(library, "blank", missing)
        for lang in ("ja", "ko", "th", "vi"):
            at.raised(spacy, lang)
    at.follow(at.raised(spacy, "qq"), "pipeline.tokenizer.type=spacy")
