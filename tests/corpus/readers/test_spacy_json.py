"""spaCy 2's JSON: what a paragraph becomes, what every fault is called, and the files that spaCy wrote."""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import pytest

from runner.corpus.readers.auto import auto, format_of
from runner.corpus.readers.conllu import conllu
from runner.corpus.readers.iob import iob
from runner.corpus.readers.prodigy import prodigy
from runner.corpus.readers.reader import LeftOut
from runner.corpus.readers.spacy_json import spacy_json
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")


def token(orth, **rest):
    return {"orth": orth, **rest}


ADA = {
    "raw": "Ada slept.  Lin ran",
    "sentences": [
        {
            "tokens": [
                token("Ada", tag="NNP", pos="PROPN", head=1, dep="nsubj", ner="U-PER", lemma="Ada", morph=""),
                token("slept", tag="VBD", pos="VERB", head=0, dep="ROOT", ner="O", lemma="sleep", morph="Tense=Past"),
                token(".", tag=".", pos="", head=-1, dep="punct", ner="-", lemma=None),
            ],
            "brackets": [{"first": 0, "last": 2, "label": "S"}],
        },
        {"tokens": [token("Lin", head=1, dep="nsubj", ner="U-PER"), token("ran", head=0, dep="ROOT", ner="O")]},
    ],
    "cats": [{"label": "SLEEP", "value": 1.0}],
    "links": [[1, 2]],
}


def read(tmp_path, content, name="a.json"):
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    left_out = LeftOut()
    return list(spacy_json()(path, None, left_out)), left_out


def test_a_paragraph_in_full(tmp_path):
    (doc,), left_out = read(tmp_path, [{"id": "d7", "paragraphs": [ADA]}])
    assert doc.words == ["Ada", "slept", ".", "Lin", "ran"]
    assert doc.spaces == [True, False, True, True, False]
    assert doc.tags == ["NNP", "VBD", ".", None, None]
    assert doc.pos == ["PROPN", "VERB", None, None, None]
    assert doc.heads == [1, 1, 1, 4, 4]  # relative in the file
    assert doc.deps == ["nsubj", "root", "punct", "nsubj", "root"]
    assert doc.sent_starts == [True, False, False, True, False]
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "PER"), (3, 4, "PER")]
    assert doc.unknown_ents == [(2, 3)]
    assert doc.cats == {"SLEEP": 1.0}
    assert doc.meta == {
        "lemmas": ["Ada", "sleep", None, None, None], "feats": [None, "Tense=Past", None, None, None], "id": "d7",
    }  # fmt: skip
    assert left_out == {"constituents (brackets)": 1, "entity links": 1}
    assert doc.source.endswith("a.json: document 0, paragraph 0")


def test_nothing_but_words(tmp_path):
    sentence = {"tokens": [token("a", space=""), token("b")]}
    (doc,), _ = read(tmp_path, {"paragraphs": [{"raw": None, "sentences": [sentence]}]})
    assert doc.text == "ab "  # a space where nothing is said
    assert (doc.tags, doc.heads, doc.cats, doc.has_ents, doc.meta) == (None, None, None, False, {})
    (doc,), _ = read(
        tmp_path, {"paragraphs": [{"sentences": [{"tokens": [token("a"), token("b")]}], "entities": [[0, 3, "X"]]}]}
    )
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 2, "X")]


def test_one_document_a_line_and_packed(tmp_path):
    line = json.dumps({"id": 0, "paragraphs": [ADA]})
    for name in ("a.json", "a.json.gz", "a.txt"):
        docs, _ = read(tmp_path, f"{line}\n\n{line}\n", name)
        assert [len(doc) for doc in docs] == [5, 5]
        assert format_of(tmp_path / name) == "spacy_json"
    assert docs[1].source.endswith("a.txt:3, paragraph 0")


FAULTS = [
    ('[{"paragraphs": [}]', r"a\.json:1: the file is not JSON"),
    ('[\n{"id": 0,\n oops}]', r"a\.json:3: the file is not JSON"),
    ([{"id": 0}], "document 0: there is no 'paragraphs'"),
    ([[]], "document 0: there is no 'paragraphs'"),
    ([{"paragraphs": [{"sentences": 3}]}], "document 0, paragraph 0: 'sentences' is no list"),
    ([{"paragraphs": [{"sentences": [{"tokens": [{}]}]}]}], "paragraph 0, sentence 0: token 0 has no 'orth'"),
    ([{"paragraphs": [{"sentences": [{"tokens": [token("a", head=5)]}]}]}], "paragraph 0: head 5 of token 0 lies outside"),
    ([{"paragraphs": [{"sentences": [{"tokens": [token("a", head=1.5)]}]}]}], "the head of token 0 is 1.5"),
    ([{"paragraphs": [{"sentences": [{"tokens": [token("a", ner="I-X")]}]}]}], "tag 'I-X'"),
    ([{"paragraphs": [{"sentences": [{"tokens": [token("a", tag=3)]}]}]}], r"tags\[0\] is a number"),
    ([{"paragraphs": [{"raw": "b", "sentences": [{"tokens": [token("a")]}]}]}], "the words and the text differ"),
    ([{"paragraphs": [{"sentences": []}]}], "there are no words"),
    ([{"paragraphs": [{"raw": " ", "sentences": [{"tokens": []}]}]}], "there are no words"),
    ([{"paragraphs": [{**ADA, "cats": [{"label": "A"}]}]}], "no object of label and value"),
    ([], "no examples"),
    ("", "no examples"),
    ('[{"paragraphs": [{"raw": "\\ud800"}]}]', "half a character"),
    ("[" * 100_000, "nests too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "fact"), FAULTS)
def test_faults_name_place_and_fact(tmp_path, content, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))
    assert str(caught.value).count("\n") == 1


def layers(doc):
    ents = [ent.as_tuple() for ent in doc.ents] if doc.has_ents else None
    return doc.words, doc.spaces, doc.tags, doc.pos, doc.heads, doc.deps, doc.sent_starts, ents


@needs_data
@pytest.mark.parametrize("name", ["ewt_dev_60.v2.json", "ewt_dev_60.spacy"])
def test_what_spacy_wrote_of_ewt_is_ewt(name):
    if name.endswith(".spacy"):
        pytest.importorskip("spacy")
    docs = list(auto()(Path(MIRROR) / "formats" / name))
    originals = list(islice(conllu()(Path(MIRROR) / "ud_english_ewt/en_ewt-ud-dev.conllu"), 60))
    assert [layers(doc) for doc in docs] == [layers(doc) for doc in originals]
    for key in ("feats", "lemmas"):  # spaCy's formats have no key where there is none
        assert [doc.meta.get(key, [None] * len(doc)) for doc in docs] == [doc.meta[key] for doc in originals]


@needs_data
@pytest.mark.parametrize("name", ["wnut17_dev_120.v2.json", "wnut17_dev_120.spacy"])
def test_what_spacy_wrote_of_wnut_is_wnut(name):
    if name.endswith(".spacy"):
        pytest.importorskip("spacy")
    docs = list(auto()(Path(MIRROR) / "formats" / name))
    originals = list(islice(iob()(Path(MIRROR) / "wnut17/emerging.dev.conll"), 120))
    assert [doc.words for doc in docs] == [doc.words for doc in originals]
    assert [layers(doc)[-1] for doc in docs] == [layers(doc)[-1] for doc in originals]
    assert sum(len(doc.ents) for doc in docs) == 128


@needs_data
def test_what_prodigy_exported_of_wnut_is_wnut():
    left_out = LeftOut()
    docs = list(prodigy()(Path(MIRROR) / "formats/wnut17_dev_120.prodigy_ner.jsonl", None, left_out))
    originals = {tuple(doc.words): doc for doc in islice(iob()(Path(MIRROR) / "wnut17/emerging.dev.conll"), 120)}
    assert len(docs) == 108
    assert sorted(left_out.values()) == [6, 6]
    for doc in docs:
        assert layers(doc)[-1] == layers(originals[tuple(doc.words)])[-1]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('In an "odd" review', ["In", "an", "``", "odd", "''", "review"]),
        ("In an “odd” review", ["In", "an", '"', "odd", '"', "review"]),
        ("It’s (so) — odd…", ["It", "'s", "-LRB-", "so", "-RRB-", "--", "odd", "..."]),
    ],
)
def test_marks_that_raw_spells_otherwise_leave_raw_out_and_keep_the_words(tmp_path, raw, words):
    start = raw.index("odd")
    paragraph = {
        "raw": raw,
        "entities": [[start, start + 3, "X"]],
        "sentences": [{"tokens": [{"orth": w} for w in words]}],
    }
    (doc,), left_out = read(tmp_path, [{"id": 0, "paragraphs": [paragraph]}])
    assert doc.words == words
    assert [(ent.text, ent.label) for ent in doc.ents] == [("odd", "X")]
    assert [text for _, _, text in left_out.remark_texts()] == [
        "1 raw text is left out: it spells quotes, dashes or the like otherwise than the words"
    ]
