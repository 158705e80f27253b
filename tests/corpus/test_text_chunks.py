"""Files cut into chunks: the same texts at the same places wherever the cuts fall."""

from __future__ import annotations

import gzip
from collections import deque
from pathlib import Path

import pytest

from runner.corpus import text_chunks
from runner.corpus.readers.conllu import conllu
from runner.corpus.readers.iob import iob
from runner.corpus.readers.reader import LeftOut
from runner.corpus.text_chunks import after, measured, read_chunks, total_size, units
from runner.corpus.texts import Input, doc_of
from runner.errors import RunnerError

LINES = "\n \nAda lives.\r\n\nBo\u2028works.\n\tLin \n\n\nMax"
PLACES = [("Ada lives.", 3), ("Bo\u2028works.", 5), ("\tLin ", 6), ("Max", 9)]
CONLLU = """\
# newdoc id = d

# sent_id = 1
1\tAda\tada\tX\tX\t_\t2\tx\t_\t_
2\tlives\t_\tX\tX\t_\t0\troot\t_\tSpaceAfter=No

 \t
# sent_id = 2

# text = don't
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tdo\t_\tX\tX\t_\t0\troot\t_\t_
2\tn't\t_\tX\tX\t_\t1\tx\t_\t_

1\tBo\t_\tX\tX\t_\t0\troot\t_\t_
"""
IOB = """\
-DOCSTART- -X- O

# a comment
Ada NNP B-PER
lives VBZ O

-DOCSTART- -X- O

Bo NNP B-PER

#1 CD O
fan NN O
"""
SIZES = (1, 7, 20, 64, 1 << 17)


def tokenize(text):
    words = text.split()
    return words, [True] * len(words)


def chunks_of(path, form):
    return list(read_chunks([Input(path, form)], LeftOut(), tokenize))


@pytest.fixture(params=SIZES)
def size(request, monkeypatch):
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", request.param)
    return request.param


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_lines_wherever_they_are_cut(tmp_path, size, name):
    content = b"\xef\xbb\xbf" + LINES.encode()
    (path := tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    chunks = chunks_of(path, "txt")
    assert (len(chunks) > 1) is (size < len(LINES))
    assert [(unit.value.decode(), int(unit.place.rpartition(":")[2])) for chunk in chunks for unit in units(chunk)] == (
        PLACES
    )
    for n in range(6):
        left = [unit.value.decode() for chunk in after(iter(chunks), n) for unit in units(chunk)]
        assert left == [text for text, _ in PLACES[n:]]


@pytest.mark.parametrize(("form", "reader", "content"), [("conllu", conllu, CONLLU), ("iob", iob, IOB)])
def test_sentences_are_what_the_reader_reads(tmp_path, size, form, reader, content):
    for text in (content, content.replace("\n", "\r\n")):
        (path := tmp_path / f"a.{form}").write_bytes(text.encode())
        docs = [doc_of(unit, tokenize) for chunk in chunks_of(path, form) for unit in units(chunk)]
        assert [(doc.words, doc.spaces, doc.meta, doc.source) for doc in docs] == [
            (doc.words, doc.spaces, doc.meta, doc.source) for doc in reader()(path)
        ]
        assert {(doc.tags is None, doc.heads is None, doc.has_ents) for doc in docs} == {(True, True, False)}


@pytest.mark.parametrize(
    ("form", "content", "fault"),
    [
        ("conllu", CONLLU.replace("1\tdo\t", "7\tdo\t"), "12: id '7' where 1 is due"),
        (
            "conllu",
            CONLLU.replace("2\tlives", "2\tli ves", 1).replace("\tX\tX\t_\t0", "\tX\tX\tY\t0", 1),
            "5: FEATS 'Y'",
        ),
        ("conllu", CONLLU + "\n# at the end\n", "17: a comment with no sentence"),
        ("iob", IOB.replace("Bo NNP B-PER", "Bo B-PER"), "9: 2 columns where the first line has 3"),
        ("iob", IOB.replace("Bo NNP B-PER", "Bo\tNNP\t "), "9: the tag is empty"),
    ],
)
def test_a_fault_is_of_one_sentence(tmp_path, size, form, content, fault):
    (path := tmp_path / "a").write_text(content, "utf8")
    places, faults = [], []
    for chunk in chunks_of(path, form):
        for unit in units(chunk):
            try:
                places.append(doc_of(unit, tokenize).words[0])
            except RunnerError as error:
                faults.append(f"{error.place}: {error.fact}".removeprefix(f"{path}:"))
    assert [one[: len(fault)] for one in faults] == [fault]
    assert len(places) >= 2


def test_a_sentence_that_does_not_end_is_not_held_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", 20)
    monkeypatch.setattr(text_chunks, "MAX_LINE", 100)
    (path := tmp_path / "a.iob").write_text("Ada O\n" * 40)
    with pytest.raises(RunnerError, match="the sentence is longer than 100 bytes"):
        chunks_of(path, "iob")


def test_the_size_that_is_told_before_is_counted_to_the_last_byte(tmp_path):
    lines, sentences, packed = tmp_path / "a.txt", tmp_path / "b.conllu", tmp_path / "c.txt.gz"
    lines.write_bytes("Ada sleeps.\r\n\nÉmile works.".encode())
    sentences.write_bytes(b"1\tAda\t_\t_\t_\t_\t0\troot\t_\t_\n\n" * 3)
    packed.write_bytes(gzip.compress(b"Ada sleeps.\n"))
    inputs = [Input(lines, "txt"), Input(sentences, "conllu")]
    sizes = deque()
    chunks = list(measured(read_chunks(inputs, LeftOut(), str.split), sizes))
    assert len(sizes) == len(chunks)
    assert sum(sizes) == total_size(inputs) == lines.stat().st_size + sentences.stat().st_size
    assert total_size([*inputs, Input(packed, "txt")]) is None
    assert total_size([Input(Path("-"), "stream")]) is None
