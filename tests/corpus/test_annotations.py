"""The simple training style as users of spaCy and numpy write it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.writers.jsonl import record_of
from runner.errors import RunnerError

WORDS = ["Uber", "blew", "Facebook", "away"]


def read(**annotations):
    return read_annotations({"words": WORDS, **annotations}, None, "a.py")


@pytest.mark.parametrize("unknown", [None, "-"])
def test_entity_tags_may_be_unknown(unknown):
    doc = read(entities=["U-ORG", "O", unknown, unknown])
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "ORG")]
    assert doc.unknown_ents == [(2, 4)]
    assert read(entities=[None] * 4).unknown_ents == [(0, 4)]
    with pytest.raises(RunnerError, match="3 entities"):
        read(entities=["U-ORG", "O", None])


def test_sentence_starts_as_spacys_numbers():
    assert read(sent_starts=[1, -1, 0, 1]).sent_starts == [True, False, None, True]
    assert read(sent_starts=np.array([1, -1, 0, 1])).sent_starts == [True, False, None, True]
    assert read(sent_starts=[True, False, None, np.True_]).sent_starts == [True, False, None, True]
    with pytest.raises(
        RunnerError, match=r"a.py: sent_starts\[1\] is a number\n  Give true, false or null; or 1, -1 or 0"
    ):
        read(sent_starts=[1, 2, 0, 1])


def test_numbers_of_numpy_are_numbers():
    heads = np.array([1, 1, 1, 1])
    doc = read(
        heads=heads,
        tags=np.array(["A", "B", "A", "C"]),
        entities=[(np.int64(0), np.int32(4), "ORG")],
        cats={"X": np.float32(0.5), "Y": np.bool_(True)},
    )
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "ORG")]
    assert (doc.heads, doc.tags, doc.cats) == ([1, 1, 1, 1], ["A", "B", "A", "C"], {"X": 0.5, "Y": 1.0})
    assert read(heads=list(heads)).heads == [1, 1, 1, 1]
    json.dumps(record_of(doc))
    json.dumps(record_of(Doc(WORDS, heads=heads)))
    with pytest.raises(RunnerError, match=r"heads\[0\] is the number 1.5"):
        read(heads=np.array([1.5, 1, 1, 1]))
    with pytest.raises(RunnerError, match=r"entities\[0\] has the number 0.5 as an offset"):
        read(entities=[(0.5, 4, "ORG")])
