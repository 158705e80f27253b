"""The sample corpus keeps to the guidelines that its README names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import runner.corpus

FOLDER = Path(runner.corpus.__file__).parent / "sample"
UPOS = set("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
PENN_OF = {
    "PUNCT": ". , : `` '' -LRB- -RRB- HYPH NFP", "PROPN": "NNP NNPS", "NOUN": "NN NNS", "VERB": "VB VBD VBG VBN VBP VBZ",
    "AUX": "VB VBD VBG VBN VBP VBZ MD", "ADJ": "JJ JJR JJS NNP", "ADV": "RB RBR RBS WRB", "CCONJ": "CC", "NUM": "CD",
    "PART": "POS TO RB", "ADP": "IN RP TO", "SCONJ": "IN WRB", "DET": "DT PDT WDT",
    "PRON": "PRP PRP$ WP WP$ DT EX WDT NN", "SYM": "$ SYM NN", "INTJ": "UH",
}  # fmt: skip
RELATIONS = set(
    "acl advcl advmod amod appos aux case cc ccomp compound conj cop csubj det discourse expl fixed flat goeswith iobj list "
    "mark nmod nsubj nummod obj obl orphan parataxis punct reparandum root vocative xcomp".split()
)
TYPES = {"PERSON", "ORG", "GPE", "LOC", "DATE", "PRODUCT"}
TOPICS = {"TRAVEL", "SPORTS", "SCIENCE", "BUSINESS"}


def read(name):
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf8").splitlines()]


SENTENCES = [pytest.param(s, id=" ".join(s["words"])[:40]) for name in ("train", "dev") for s in read(name)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_a_tree_with_known_tags_and_whole_entities(sentence):
    words, heads, deps = sentence["words"], sentence["heads"], sentence["deps"]
    n = len(words)
    assert all(len(sentence[key]) == n for key in ("spaces", "tags", "pos", "heads", "deps"))
    roots = [i for i, head in enumerate(heads) if head == i]
    assert len(roots) == 1
    assert [i for i, dep in enumerate(deps) if dep == "root"] == roots
    for i in range(n):
        seen = set()
        while heads[i] != i:
            assert i not in seen
            seen.add(i)
            i = heads[i]
    for i, dep in enumerate(deps):
        assert dep.split(":")[0] in RELATIONS
        assert sentence["pos"][i] in UPOS
        assert sentence["tags"][i] in PENN_OF[sentence["pos"][i]].split()
        assert (dep == "punct") == (sentence["pos"][i] == "PUNCT")
        if dep in ("conj", "flat", "fixed", "appos", "goeswith"):
            assert heads[i] < i
        if dep == "cc":
            assert heads[i] > i
    objects = Counter(
        (h, d.split(":")[0]) for h, d in zip(heads, deps, strict=True) if d.split(":")[0] in ("nsubj", "obj")
    )
    assert max(objects.values(), default=1) == 1
    starts, ends, position = set(), set(), 0
    for word, space in zip(words, sentence["spaces"], strict=True):
        starts.add(position)
        ends.add(position + len(word))
        position += len(word) + space
    last = 0
    for start, end, label in sentence["entities"]:
        assert label in TYPES
        assert start in starts
        assert end in ends
        assert last <= start < end
        last = end
    assert set(sentence["cats"]) == TOPICS
    assert sorted(sentence["cats"].values()) == [0, 0, 0, 1]


def test_train_and_dev_are_apart_and_cover_the_same_ground():
    train, dev = read("train"), read("dev")
    assert len(train) + len(dev) >= 300
    assert not {tuple(s["words"]) for s in train} & {tuple(s["words"]) for s in dev}
    for part in (train, dev):
        assert {e[2] for s in part for e in s["entities"]} == TYPES
        assert {t for s in part for t, on in s["cats"].items() if on} == TOPICS
