"""Every corpus: three parts without a shared doc, and cells that hold the smaller ones."""

from __future__ import annotations

import os

import pytest

from benchmarks.defaults import corpora
from benchmarks.defaults.cells import SCORES, Cell
from benchmarks.defaults.compare import Counts, items, order
from benchmarks.defaults.corpora import CORPORA, MOST_DEV, Parts, prepare, sizes_of
from runner.corpus.doc import Doc
from runner.corpus.readers.jsonl import jsonl

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")
ALL = [pytest.param(name, marks=() if name == "sample" else (needs_data, pytest.mark.slow)) for name in CORPORA]

N_DOCS = {  # train, dev, test; a split of our own has the docs of its files once
    "wnut17": (3394, 1009, 1287),
    "wikigold": (1017, 339, 340),  # of 1,696: 339 are a fifth, the rest of the division is tested
    "ewt": (12544, 2001, 2077),
    "vietnamese": (1400, 1123, 800),
    "armenian": (575, 300, 300),
    "polarity": (2 * 4264, 2 * 533, 2 * 534),
    "genres": (12544, 2001, 2077),
    "reviews": (1600, 200, 200),
    "sample": (240, 80, 80),
}


@pytest.mark.parametrize("name", ALL)
def test_no_doc_is_in_two_parts(name):
    parts = CORPORA[name].read()
    assert tuple(map(len, parts)) == N_DOCS[name]
    assert len({id(doc) for part in parts for doc in part}) == sum(map(len, parts))


@needs_data
@pytest.mark.parametrize("name", ["wikigold", "armenian"])
def test_a_split_of_our_own_is_the_file_in_order(name):
    """No doc is left out, none comes twice: the parts, one after the other, are the source."""
    from benchmarks.defaults.sources import source
    from runner.corpus.readers.conllu import conllu
    from runner.corpus.readers.iob import iob

    parts = CORPORA[name].read()
    if name == "wikigold":
        whole = list(iob(scheme="iob1")(source("wikigold", "wikigold.conll.txt")))
        cut = [*parts.train, *parts.dev, *parts.test]
    else:
        whole = list(conllu()(source("ud_armenian_armtdp", "hy_armtdp-ud-test.conllu")))
        cut = [*parts.dev, *parts.test]
    assert [doc.words for doc in cut] == [doc.words for doc in whole]


@pytest.mark.parametrize("name", ALL)
def test_larger_cells_hold_smaller_ones(name, tmp_path):
    sizes = prepare(name, tmp_path)
    assert sizes[-1] == N_DOCS[name][0]
    lines = {size: (tmp_path / name / f"train-{size}.jsonl").read_text().splitlines() for size in sizes}
    for size in sizes:
        assert len(lines[size]) == size
        assert lines[size] == lines[sizes[-1]][:size]
    n_dev = len((tmp_path / name / "dev.jsonl").read_text().splitlines())
    assert n_dev == min(N_DOCS[name][1], MOST_DEV)


@pytest.mark.parametrize("name", ALL)
def test_a_corpus_has_the_annotation_of_its_components(name, tmp_path):
    prepare(name, tmp_path)
    first = next(iter(jsonl()(tmp_path / name / "test.jsonl")))
    has = {
        "ner": first.has_ents,
        "tagger": bool(first.tags) and None not in first.tags,
        "parser": first.heads is not None,
        "textcat": bool(first.cats) and sum(first.cats.values()) == 1,
    }
    counts = Counts(tmp_path)
    for component in CORPORA[name].components:
        assert has[component.removesuffix("_bow")]
        assert counts(Cell(component, name, 100), "test") >= 40


def test_both_halves_have_every_component():
    for half in ("a", "b"):
        found = {component for one in CORPORA.values() if one.half == half for component in one.components}
        assert found == set(SCORES)


def test_sizes_are_well_below_all_docs_or_all_of_them():
    assert sizes_of(12544) == [100, 300, 1000, 3000, 12544]
    assert sizes_of(1250) == [100, 300, 1250]  # 1,000 is not well below
    assert sizes_of(1251) == [100, 300, 1000, 1251]
    assert sizes_of(80) == [80]


def test_what_is_prepared_is_not_read_again(tmp_path, monkeypatch):
    docs = [Doc([f"word{i}"], cats={"a": 1.0}) for i in range(9)]
    calls = []

    def read():
        calls.append(1)
        return Parts(docs[:5], docs[5:7], docs[7:])

    monkeypatch.setitem(corpora.CORPORA, "tiny", corpora.CorpusOf("tiny", ("textcat",), "a", read))
    assert prepare("tiny", tmp_path) == [5]
    assert prepare("tiny", tmp_path) == [5]
    assert calls == [1]
    train = (tmp_path / "tiny" / "train-5.jsonl").read_text()
    assert all(f"word{i}" in train for i in range(5))
    assert "word5" not in train


def test_items_are_what_is_scored():
    doc = {"words": ["Ada", "slept", "!"], "tags": ["NNP", None, "."], "deps": ["nsubj", "root", "punct"]}
    assert items("ner", {**doc, "entities": [[0, 3, "PER"]]}) == 1
    assert items("ner", {**doc, "entities": ["B-PER", "L-PER", "U-LOC"]}) == 2
    assert [items(name, doc) for name in ("tagger", "parser", "textcat", "textcat_bow")] == [2, 2, 1, 1]


def test_cells_stand_in_the_order_of_the_lists():
    cells = [
        Cell("parser", "ewt", 100),
        Cell("ner", "wikigold", 100),
        Cell("ner", "wnut17", 300),
        Cell("ner", "wnut17", 100),
    ]
    assert sorted(cells, key=order) == [cells[3], cells[2], cells[1], cells[0]]
