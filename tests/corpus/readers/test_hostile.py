"""Every format, broken in every way: docs and a full account of them, or one error that names the place; never a traceback.

A short round runs with the tests; a long one by hand: `python tests/corpus/readers/test_hostile.py --runs 10000`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.commands.convert import main
from runner.corpus.readers.auto import auto
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.tokenizer import syntok
from runner.corpus.writers.conllu import conllu as conllu_writer
from runner.corpus.writers.iob import iob as iob_writer
from runner.corpus.writers.jsonl import jsonl as jsonl_writer
from runner.errors import RunnerError

CONLLU = """\
# newdoc id = d1
# text = I don't sleep.
1\tI\tI\tPRON\tPRP\tCase=Nom|Number=Sing\t4\tnsubj\t4:nsubj\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t4:aux\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t4:advmod\t_
4\tsleep\tsleep\tVERB\tVB\tVerbForm=Inf\t0\troot\t0:root\tSpaceAfter=No
5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t4:punct\t_

# sent_id = 2
1\tNew York\tNew York\tPROPN\tNNP\tNumber=Sing\t0\troot\t0:root\tNote=a b
1.1\tis\tbe\tAUX\tVBZ\t_\t_\t_\t1:cop\tCopyOf=2
2\t\U0001f642\t_\tSYM\tNFP\t_\t1\tdep\t_\t_

"""
IOB = (
    "-DOCSTART-\t-X-\t-X-\tO\n\n"
    + "Madrid\tNNP\tI-NP\tB-LOC\nsleeps\tVBZ\tI-VP\tO\n\nNew York\tNNP\tI-NP\tB-ORG\n\U0001f642\t_\tO\tI-ORG\n"
)
IOB_SPACES = "U.N. I-ORG\nofficial O\nEkeus I-PER\n\nBaghdad I-LOC\n\u0301 O\n"
BILUO = "in O\nNew B-LOC\nYork L-LOC\nAda U-PER\n? -\n"
JSONL = [
    {"text": "Ada met Lin in Oslo.", "entities": [[0, 3, "PER"], [15, 19, "LOC"]], "cats": {"TRAVEL": 1.0,
        "FOOD": False}, "id": 7},
    {"words": ["Ada", "slept", "."], "spaces": [True, False, False], "tags": ["NNP", None, "."], "heads": [1, 1,
        None],
     "deps": ["nsubj", "root", None], "sent_starts": [True, False, None], "entities": ["U-PER", "-", "O"],
     "lemmas": ["Ada", "sleep", None]},
]  # fmt: skip
SPACY_JSON = [
    {"id": 0, "paragraphs": [
        {"raw": "Ada slept. Lin ran", "sentences": [
            {"tokens": [{"id": 0, "orth": "Ada", "tag": "NNP", "pos": "PROPN", "head": 1, "dep": "nsubj",
            "ner": "U-PER", "lemma": "Ada"},
                        {"id": 1, "orth": "slept", "space": "", "tag": "VBD", "head": 0, "dep": "ROOT", "ner": "O",
                        "morph": "Tense=Past"},
                        {"id": 2, "orth": ".", "tag": ".", "head": -1, "dep": "punct", "ner": "-"}], "brackets": []},
            {"tokens": [{"orth": "Lin", "head": 1}, {"orth": "ran", "head": 0}], "brackets": [{"label": "NP",
            "first": 0, "last": 0}]}],
         "cats": [{"label": "A", "value": 1.0}], "links": []}]},
    {"id": "two", "paragraphs": [{"sentences": [{"tokens": [{"orth": "Oslo"}]}], "entities": [[0, 4, "LOC"]]}]},
]  # fmt: skip
PRODIGY = [
    {"text": "Ada met  Lin", "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"}],
     "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": True}, {"text": "met", "start": 4, "end": 7,
     "id": 1, "ws": True},
                {"text": " ", "start": 8, "end": 9, "id": 2, "ws": False}, {"text": "Lin", "start": 9, "end": 12,
                "id": 3, "ws": False}],
     "_view_id": "ner_manual", "answer": "accept", "_task_hash": 1, "meta": {"source": "x"}},
    {"text": "Oslo is far", "spans": [{"start": 0, "end": 4, "label": "LOC"}], "_view_id": "ner", "answer": "accept"},
    {"text": "It broke", "label": "COMPLAINT", "answer": "reject"},
    {"text": "It broke", "options": [{"id": "A", "text": "a"}, {"id": 2}], "accept": [2], "answer": "accept"},
    {"text": "skip me", "spans": [], "answer": "ignore"},
    {"text": "not so", "spans": [{"start": 0, "end": 3, "label": "X"}], "answer": "reject"},
]  # fmt: skip
TABLE = 'text,label\nThe keeper saved it.,SPORT\n"A ball, ""on""\nMars.",SCIENCE\n'

JUNK_TEXT = (
    "", "_", "\t", "\n", "\r", " ", "\x00", "\ufeff", "\u2028", "\u0301", "-", "-1", "0", "1", "99", "1-2", "1.1",
        "B-", "I-X", "L-X", "O",
    "B-LOC", "NaN", "1e999", '"', "\\", "\\ud800", "{", "}", "[", "]", "null", ",", "-DOCSTART-", "#", "=", "|",
        "a=b", "SpaceAfter=No",
    "x" * 3000, "9" * 5000, "[" * 3000, "# newdoc", "\n\n", "ﬁ",
)  # fmt: skip
JUNK_VALUE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, -(2**63), 10**30, 0.5, 1e308, "", " ", "\n", "x", "ROOT", "O", "B-",
        "-", "U-X", "accept", "ignore",
    "reject", [], {}, [None], [[]], [[0, 1]], [0, 1, "X"], {"a": 1}, {"label": "X"}, "\t", "a b", "\u0301", ["x",
        "x"], "x" * 2000,
)  # fmt: skip


def seeds() -> dict[str, tuple[str, bytes]]:
    """Format → name and content of a good file."""
    lines = lambda records: "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)  # noqa: E731
    found = {
        "conllu": ("a.conllu", CONLLU),
        "iob": ("a.iob", IOB),
        "iob spaces": ("a.conll", IOB_SPACES),
        "biluo": ("a.biluo", BILUO),
        "jsonl": ("a.jsonl", lines(JSONL)),
        "spacy_json": ("a.json", json.dumps(SPACY_JSON, indent=1)),
        "prodigy": ("b.jsonl", lines(PRODIGY)),
        "table": ("a.csv", TABLE),
    }
    return {name: (file, text.encode()) for name, (file, text) in found.items()} | {
        "docbin": ("a.spacy", docbin_bytes())
    }


def docbin_bytes() -> bytes:
    """A DocBin of two docs, one with everything, made by spaCy."""
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    nlp = spacy.blank("en")
    doc = Doc(
        nlp.vocab, words=["Ada", "slept", ".", "Bo"], spaces=[True, False, True, False], tags=["NNP", "VBD", ".",
        "NNP"],
        pos=["PROPN", "VERB", "PUNCT", "PROPN"], heads=[1, 1, 1, 3], deps=["nsubj", "ROOT", "punct", "ROOT"],
        lemmas=["Ada", "sleep", ".", "Bo"], morphs=["Number=Sing", "Tense=Past", "", ""], ents=["B-PER", "O", "O",
        "B-PER"],
    )  # fmt: skip
    doc.cats = {"A": 1.0}
    doc.user_data["x"] = 1
    doc.spans["sc"] = [Span(doc, 0, 2, "S")]
    return DocBin(store_user_data=True, docs=[doc, nlp("Only words here")]).to_bytes()


# Mutations


def mutate(name: str, data: bytes, rng: random.Random) -> bytes:
    """The file, broken once or twice."""
    for _ in range(rng.choice((1, 1, 2))):
        if name in ("jsonl", "prodigy", "spacy_json") and rng.random() < 0.6:
            data = _break_json(data, rng, is_lines=name != "spacy_json")
        elif name == "docbin" and rng.random() < 0.7:
            data = _break_docbin(data, rng)
        elif name != "docbin" and rng.random() < 0.7:
            data = _break_text(data, rng)
        else:
            data = _break_bytes(data, rng)
    return data


def _break_bytes(data: bytes, rng: random.Random) -> bytes:
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    end = min(end, at + rng.choice((1, 4, 40)))
    kind = rng.randrange(6)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.choice((1, 8))) + data[end:]
    if kind == 3:
        return data[:end] + data[at:]
    if kind == 4:
        return data[:at] + b"\xed\xa0\x80" + data[at:]
    return rng.choice((b"", b"\n", b"\x78\x9c", b"\xff\xfe", data + data, data.replace(b"\n", b"\r\n"), data[::-1]))


def _break_text(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    lines = text.split("\n")
    i = rng.randrange(len(lines))
    kind = rng.randrange(8)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(i, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines.insert(i, rng.choice(JUNK_TEXT))
    elif kind == 3:
        j = rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    else:
        cells = re.split(r"([\t ,|=])", lines[i])
        j = rng.randrange(len(cells))
        if kind == 4:
            del cells[j]
        elif kind == 5:
            cells.insert(j, rng.choice(JUNK_TEXT))
        else:
            cells[j] = rng.choice((*JUNK_TEXT, *text.split()[:20]))
        lines[i] = "".join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _break_json(data: bytes, rng: random.Random, *, is_lines: bool) -> bytes:
    try:
        lines = data.decode().split("\n") if is_lines else [data.decode()]
        i = rng.choice([i for i, line in enumerate(lines) if line.strip()])
        content = json.loads(lines[i])
    except (ValueError, IndexError, RecursionError):
        return _break_bytes(data, rng)
    _break_value(content, rng)
    lines[i] = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _break_value(content: Any, rng: random.Random) -> None:
    """Replace, remove or double one value somewhere inside."""
    inner: list[tuple[Any, Any]] = []
    stack = [content]
    while stack:
        node = stack.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in items:
            inner.append((node, key))
            stack.append(value)
    if not inner:
        return
    node, key = rng.choice(inner)
    kind = rng.randrange(5)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, list):
        node.insert(key, node[key])
    elif kind == 2 and isinstance(node, dict):
        node[rng.choice(("x", "text", "words", "entities", "spans", "tokens", "label", ""))] = node.pop(key)
    elif kind == 3 and isinstance(node[key], int):
        node[key] += rng.choice((-1, 1, 5, -1000))
    else:
        node[key] = rng.choice(JUNK_VALUE)


def _break_docbin(data: bytes, rng: random.Random) -> bytes:
    import srsly

    try:
        message = srsly.msgpack_loads(zlib.decompress(data))
        assert isinstance(message, dict)
    except Exception:
        return _break_bytes(data, rng)
    key = rng.choice(list(message) or ["x"])
    value = message.get(key)
    if isinstance(value, bytes) and rng.random() < 0.8:
        if rng.random() < 0.5 and value:
            at = rng.randrange(len(value))
            message[key] = value[:at] + bytes([rng.choice((0, 1, 2, 3, 255, rng.randrange(256)))]) + value[at + 1 :]
        else:
            message[key] = _break_bytes(value, rng)
    elif isinstance(value, list) and value and rng.random() < 0.7:
        _break_value({"x": value}, rng)
    else:
        _break_value(message, rng)
    try:
        packed = srsly.msgpack_dumps(message)
    except (TypeError, OverflowError, ValueError):
        return _break_bytes(data, rng)
    return zlib.compress(packed if rng.random() < 0.9 else _break_bytes(packed, rng))


# What must hold


def check(name: str, path: Path, out: Path) -> str:
    """Convert the file; "ok" or the kind of error. AssertionError where it ends in another way than it may."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main([str(path), str(out)])
    if code:
        message = stderr.getvalue().rstrip("\n")
        assert code == 2, message
        assert not out.exists()
        assert message.count("\n") <= 1, message
        place = re.match(
            re.escape(str(path)) + r"(:\d+|: document \d+(, paragraph \d+(, sentence \d+)?)?|: doc \d+)?: \S", message
        )
        assert place, message
        return "error"
    left_out = LeftOut()
    docs = list(bind(auto(), syntok(), left_out)(path))
    written = [line for line in out.read_text("utf-8").split("\n") if line]
    assert len(written) == len(docs)
    head = re.match(r".*: ([\d,]+) docs?, ([\d,]+) words, ([\d,]+) entities\n", stdout.getvalue())
    assert head, stdout.getvalue()
    assert [int(n.replace(",", "")) for n in head.groups()] == [
        len(docs), sum(map(len, docs)), sum(len(doc.ents) for doc in docs)
    ]  # fmt: skip
    for what, n in left_out.items():
        assert f"left out: {n:,} {what}" in stdout.getvalue()
    found = expected(path, left_out)
    assert found is None or found == (len(docs), sum(map(len, docs)))[found_is_words(path)], (found, len(docs))
    for doc in docs:
        assert doc.words
        assert all(doc.words)
    for make, suffix in ((jsonl_writer, "jsonl"), (conllu_writer, "conllu"), (iob_writer, "iob")):
        check_written(docs, make(), out.with_name(f"again.{suffix}"))
    return "ok"


def found_is_words(path: Path) -> bool:
    return path.suffix in (".conllu", ".iob", ".conll", ".biluo")


def expected(path: Path, left_out: LeftOut) -> int | None:
    """Docs (of JSON lines) or words (of token files) that a plain count of lines gives; None where there is none as plain."""
    text = path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    lines = [line for line in text.split("\n") if line.strip(" \t\r")]
    if path.suffix == ".jsonl":
        return sum(not line.isspace() for line in lines) - sum(
            n for what, n in left_out.items() if what.startswith(("tasks with", "choices"))
        )
    if path.suffix == ".conllu":
        return sum(line.partition("\t")[0].isdecimal() for line in lines)
    if path.suffix in (".iob", ".conll", ".biluo") and not any(line.count("\t") == 9 for line in lines):
        return sum(
            re.split(r"[\t ]", line.strip(" ") if "\t" not in line else line)[0].strip(" \r") != "-DOCSTART-"
            for line in lines
        ) - sum(
            n
            for remarks in left_out.remarks.values()
            for remark, n in remarks.counts.items()
            if "comments" in remark.many
        )
    return None


def check_written(docs: list[Any], write: Any, path: Path) -> None:
    """What a writer makes of the docs is read again: the same words, entities and, in JSON lines, everything."""
    left_out = LeftOut()
    text, fault = "", ""
    try:
        text = "".join(write(docs, left_out))
    except RunnerError as error:
        fault = str(error)
    if fault:
        assert path.suffix != ".jsonl"
        assert fault.count("\n") == 1
        return
    path.write_bytes(text.encode("utf-8"))
    if path.suffix == ".jsonl":
        again = list(auto()(path))
        for one, other in zip(docs, again, strict=True):
            assert same(one, other), (one.source, everything(one), everything(other))
        return
    again = list(auto(n_sents=10**6)(path))
    words = [word for doc in docs for word in doc.words if word.strip(" \t\r\n")]
    assert [word for doc in again for word in doc.words] == words
    if path.suffix == ".iob":
        n = sum(len(doc.ents) for doc in docs)
        assert sum(len(doc.ents) for doc in again) >= n - left_out["entities of mere white space"]


def everything(doc: Any) -> tuple[Any, ...]:
    from runner.corpus.annotations import UNALIGNED

    meta = {key: value for key, value in doc.meta.items() if key != UNALIGNED}
    ents = [ent.as_tuple() for ent in doc.ents] if doc.has_ents else None
    layers = (doc.tags, doc.pos, doc.heads, doc.deps, doc.sent_starts)
    covered = {i for start, end in doc.unknown_ents for i in range(start, end)}
    covered -= {i for start, end, _ in ents or () for i in range(start, end)}
    return doc.words, doc.spaces, ents, covered, *layers, doc.cats, json.dumps(meta, sort_keys=True)


def same(one: Any, other: Any) -> bool:
    return everything(one) == everything(other)


GOOD = seeds()


@pytest.mark.parametrize("name", GOOD)
def test_the_good_files_are_good(name, tmp_path):
    file, data = GOOD[name]
    path = tmp_path / file
    path.write_bytes(data)
    assert check(name, path, tmp_path / "out.jsonl") == "ok"


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False, note_method_calls=False))
def test_broken_files_end_in_docs_or_in_one_error(name, rng, tmp_path_factory):
    folder = Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp()))
    file, data = GOOD[name]
    path = folder / file
    path.write_bytes(mutate(name, data, rng))
    check(name, path, folder / "out.jsonl")


def long_round(runs: int, seed: int, names: list[str]) -> int:
    """Many broken files a format; a line on each that ends badly, and how the others ended."""
    bad = 0
    for name in names:
        file, data = GOOD[name]
        ends: Counter[str] = Counter()
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            for number in range(runs):
                rng = random.Random(f"{seed} {name} {number}")
                path.write_bytes(mutate(name, data, rng))
                try:
                    ends[check(name, path, Path(folder) / "out.jsonl")] += 1
                except Exception:
                    ends["BAD"] += 1
                    if ends["BAD"] <= 3:
                        print(f"{name} {number}\n{traceback.format_exc(limit=-3)[-1500:]}")
                for left in Path(folder).glob("*"):
                    left.unlink()
        bad += ends["BAD"]
        print(name, dict(ends), f"{time.perf_counter() - started:.0f} s", flush=True)
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(GOOD))
    arguments = parser.parse_args()
    sys.exit(long_round(arguments.runs, arguments.seed, arguments.only) > 0)
