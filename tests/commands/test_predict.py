"""`python -m runner predict`: what comes in, what goes out, in which order, and what a kill leaves behind."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import runner
from runner.__main__ import main
from runner.commands.predict import annotator, output
from runner.components.records import record_of
from runner.corpus import text_chunks
from runner.corpus.readers.conllu import conllu
from runner.corpus.readers.iob import iob
from runner.corpus.readers.jsonl import jsonl

TEXTS = ["Ada lives in Oslo.", "Bo works in  Rome!", "\u00c9mile , \u201clives\u201d in Lima"]


@pytest.fixture
def predict(full_run, tmp_path, monkeypatch, capfd):
    """Run the command beside a copy of the run: (exit code, stdout, stderr)."""
    shutil.copytree(full_run, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("\n\n".join(TEXTS) + "\n", "utf8")

    def call(*words):
        code = main(["predict", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def records(path):
    content = Path(path).read_bytes()
    return [
        json.loads(line) for line in (gzip.decompress(content) if str(path).endswith(".gz") else content).splitlines()
    ]


def test_a_text_a_line(predict):
    code, out, err = predict("run", "a.txt", "-o", "out.jsonl")
    assert (code, err) == (0, "")
    assert out.startswith("out.jsonl: 3 texts, ")
    nlp = runner.load("run")
    assert records("out.jsonl") == [
        json.loads(json.dumps(record_of(nlp, nlp(text, confidence=False)))) for text in TEXTS
    ]
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt", "out.jsonl", "run"]
    assert len(list(jsonl()(Path("out.jsonl")))) == 3  # can be trained on


def test_confidence_when_asked(predict):
    predict("run", "a.txt", "-o", "out.jsonl", "--confidence")
    first = records("out.jsonl")[0]
    assert len(first["entity_confidence"]) == len(first["entities"])


def test_ids_stay_and_annotation_of_the_input_does_not(predict):
    given = [
        {"id": 7, "text": TEXTS[0], "entities": [[0, 18, "WRONG"]], "cats": {"WRONG": 1.0}, "meta": {"page": 3}},
        {"words": ["Ada", "lives-in", "Oslo"], "id": 8, "tags": ["X", "X", "X"]},
        ["Bo works", {"entities": []}],
        {"text": "", "id": 9},
    ]
    Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in given), "utf8")
    assert predict("run", "in.jsonl", "-o", "out.jsonl")[0] == 0
    first, second, third, empty = records("out.jsonl")
    assert (first["id"], first["meta"], first["text"]) == (7, {"page": 3}, TEXTS[0])
    assert "WRONG" not in json.dumps([first, second])
    assert set(first["cats"]) == {"HOME", "WORK"}
    assert (second["words"], len(second["tags"]), second["id"]) == (["Ada", "lives-in", "Oslo"], 3, 8)
    assert third["text"] == "Bo works"
    assert (empty["text"], empty["id"]) == ("", 9)


def test_words_of_a_treebank_come_back_with_its_comments(predict):
    sentence = "# sent_id = s-{}\n# text = Ada lives\n1\tAda\tada\tX\tX\t_\t2\tx\t_\t_\n2\tlives\t_\tX\tX\t_\t0\troot\t_\t_\n\n"
    Path("in.conllu").write_text(sentence.format(1) + sentence.format(2), "utf8")
    assert predict("run", "in.conllu", "-o", "out.conllu")[0] == 0
    first, second = conllu()(Path("out.conllu"))
    assert (first.words, first.meta["comments"]) == (["Ada", "lives"], [["# sent_id = s-1", "# text = Ada lives"]])
    assert "X" not in first.tags
    assert second.meta["comments"][0][0] == "# sent_id = s-2"


def test_iob_of_many_chunks_is_one_file(predict, monkeypatch):
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", 1)
    code, out, _ = predict("run", "a.txt", "-o", "out.iob")
    assert code == 0
    assert "left out: 6 categories (IOB has no place for them)" in out
    docs = list(iob()(Path("out.iob")))
    assert [doc.words for doc in docs] == [runner.load("run").make_doc(text).words for text in TEXTS]
    assert docs[0].tags is not None


def test_a_table_keeps_its_columns(predict, monkeypatch):
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", 1)
    rows = [["id", "text", "stars"], ["1", 'Ada "lives",\nin Oslo', "5"], ["2", "Bo works", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)
    Path("in.csv").write_text(text.getvalue(), "utf8")
    assert predict("run", "in.csv", "-o", "out.csv")[0] == 0
    with Path("out.csv").open(encoding="utf8", newline="") as file:
        made = list(csv.DictReader(file))
    assert [(row["id"], row["text"], row["stars"]) for row in made] == [tuple(row) for row in rows[1:]]
    assert {row["label"] for row in made} <= {"HOME", "WORK"}
    assert float(made[0]["HOME"]) + float(made[0]["WORK"]) == pytest.approx(1)
    assert isinstance(json.loads(made[0]["entities"]), list)


def test_folders_packed_files_and_whole_files(predict):
    Path("in/deep").mkdir(parents=True)
    Path("in/b.txt.gz").write_bytes(gzip.compress(b"Ada lives.\nBo works.\n"))
    Path("in/a.jsonl").write_text('{"text": "Lin lives."}\n', "utf8")
    Path("in/deep/c.txt").write_text("Max works.\n", "utf8")
    Path("in/picture.png").write_bytes(b"\x89PNG")
    code, out, _ = predict("run", "in", "-o", "out.jsonl.gz")
    assert code == 0
    assert "left out: 1 files without a known suffix (picture.png)" in out
    assert [one["text"] for one in records("out.jsonl.gz")] == ["Lin lives.", "Ada lives.", "Bo works.", "Max works."]
    assert predict("run", "in", "-o", "whole.jsonl", "--whole-files")[0] == 0
    assert [one.get("file") for one in records("whole.jsonl")] == [None, "in/b.txt.gz", "in/deep/c.txt"]


@pytest.mark.parametrize("given", ["\n".join(TEXTS), "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)])
def test_standard_streams(predict, monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given.encode())))
    code, out, err = predict("run", "-", "-o", "-")
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == TEXTS
    assert err.startswith("standard output: 3 texts")


@pytest.mark.parametrize("way", ["as they come", "spawned"])
def test_two_workers_write_the_same_bytes(predict, monkeypatch, way):
    if way == "spawned":
        monkeypatch.setattr(annotator, "can_fork", lambda: False)
    Path("many.txt").write_text("".join(f"Ada {i} lives in Oslo.\n" for i in range(900)), "utf8")
    predict("run", "many.txt", "-o", "one.jsonl")
    assert predict("run", "many.txt", "-o", "two.jsonl", "--workers", 2)[0] == 0
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are forked on Linux alone")
def test_a_process_is_forked_only_if_it_has_no_threads_of_its_own():
    """In a process of its own, because this one may have threads."""
    code = """
import threading
from runner.commands.predict.annotator import can_fork
print(can_fork())
end = threading.Event()
threading.Thread(target=end.wait).start()
print(can_fork())
end.set()
"""
    for threads in ("1", "2"):  # of BLAS, which ends its own for a fork
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        assert result.stdout.split() == ["True", "False"]


BAD = b'{"text": "Ada lives."}\n{"text": 3}\n{"txt": "x"}\nnonsense\n{"text": "Caf\xe9"}\n{"text": "Bo works."}\n'


def test_a_text_that_cannot_be_read(predict):
    Path("in.jsonl").write_bytes(BAD)
    code, _, err = predict("run", "in.jsonl", "-o", "out.jsonl")
    assert code == 2
    assert "in.jsonl:2: the text is no string" in err
    assert "--skip-errors" in err
    assert not Path("out.jsonl").exists()
    code, out, err = predict("run", "in.jsonl", "-o", "out.jsonl", "--resume", "--skip-errors")
    assert code == 0
    assert [one["text"] for one in records("out.jsonl")] == ["Ada lives.", "Bo works."]
    assert "2 texts, 6 words, 4 skipped" in out
    assert [line.split(": ")[1] for line in err.splitlines() if line.startswith("skipped")] == [
        "in.jsonl:2", "in.jsonl:3", "in.jsonl:4", "in.jsonl:5",
    ]  # fmt: skip


def test_lines_that_are_no_text_of_a_plain_file(predict, monkeypatch):
    monkeypatch.setattr(text_chunks, "MAX_LINE", 40)
    Path("in.txt").write_bytes(b"\xef\xbb\xbfAda lives.\r\n" + b"x" * 100 + b"\n\xff\xfe\n \nBo works.")
    assert predict("run", "in.txt", "-o", "out.jsonl")[0] == 2
    code, _, err = predict("run", "in.txt", "-o", "out.jsonl", "--force", "--skip-errors")
    assert code == 0
    assert [one["text"] for one in records("out.jsonl")] == ["Ada lives.", "Bo works."]
    assert "skipped: in.txt:2: the line is longer than 40 bytes" in err
    assert "skipped: in.txt:3: byte 0xff at position 0 is not UTF-8" in err


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("in.conllu", "1\tAda{0}\n2\tlives{0}\n\n1\tBo{0}\n3\tworks{0}\n\n1\tLin{0}\n", "5: id '3' where 2 is due"),
        ("in.iob", "Ada\tO\nlives\tO\n\nBo\tO\nworks\n\nLin\tO\n", "5: 1 column where line 4 has 2"),
    ],
)
def test_a_sentence_that_cannot_be_read(predict, name, content, fact):
    Path(name).write_text(content.format("\t_" * 5 + "\t0" + "\t_" * 2), "utf8")
    code, _, err = predict("run", name, "-o", "out.jsonl")
    assert code == 2
    assert err.startswith(f"1 text is kept in out.jsonl.part; --resume goes on from there\n{name}:{fact}\n")
    assert "--skip-errors" in err
    code, out, err = predict("run", name, "-o", "out.jsonl", "--force", "--skip-errors")
    assert (code, err) == (0, f"skipped: {name}:{fact}\n")
    assert [one["words"] for one in records("out.jsonl")] == [["Ada", "lives"], ["Lin"]]
    assert "2 texts, 3 words, 1 skipped" in out


def test_a_text_without_words_has_no_place_in_conllu(predict):
    Path("in.jsonl").write_text('{"text": "Ada"}\n{"text": " "}\n{"text": "Bo"}\n', "utf8")
    code, _, err = predict("run", "in.jsonl", "-o", "out.conllu")
    assert (code, err.splitlines()[-2]) == (2, "in.jsonl:2: a text without words cannot be written as conllu")
    assert predict("run", "in.jsonl", "-o", "out.conllu", "--force", "--skip-errors")[1].startswith(
        "out.conllu: 2 texts"
    )


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.iob", "out.csv", "out.spacy"])
def test_an_interrupted_work_goes_on(predict, monkeypatch, name):
    Path("many.txt").write_text("".join(f"Ada {i} lives in Oslo.\n" for i in range(40)), "utf8")
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", 80)
    predict("run", "many.txt", "-o", f"whole-{name}")
    monkeypatch.setattr(output, "_SECONDS", -1.0)
    n_chunks = 0
    annotate = annotator.Annotator.__call__

    def interrupted(self, *given, **named):
        nonlocal n_chunks
        n_chunks += 1
        if n_chunks == 5:
            raise KeyboardInterrupt
        return annotate(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(annotator.Annotator, "__call__", interrupted)
        code, _, err = predict("run", "many.txt", "-o", name)
    assert code == 130
    assert f"16 texts are kept in {name}.part; --resume goes on from there" in err
    assert not Path(name).exists()
    with Path(f"{name}.part").open("ab") as file:
        file.write(b'{"text": "half a li')  # what a kill may leave behind the record
    code, _, err = predict("run", "many.txt", "-o", name)
    assert (code, err.splitlines()[0]) == (2, f"{name}.part: an earlier command was interrupted here")
    code, out, err = predict("run", "many.txt", "-o", name, "--resume")
    assert (code, err) == (0, "going on after 16 texts\n")
    assert out.startswith(f"{name}: 40 texts")
    unpack = gzip.decompress if name.endswith(".gz") else bytes
    assert unpack(Path(name).read_bytes()) == unpack(Path(f"whole-{name}").read_bytes())
    assert not list(Path().glob("*.part*"))


def test_other_work_is_not_gone_on_with(predict):
    Path("in.jsonl").write_bytes(BAD)
    predict("run", "in.jsonl", "-o", "out.jsonl")
    assert predict("run", "in.jsonl", "a.txt", "-o", "out.jsonl", "--resume")[2].startswith(
        "out.jsonl.part: the input is not"
    )
    assert predict("run/model-best", "in.jsonl", "-o", "out.jsonl", "--resume", "--confidence")[0] == 2
    Path("out.jsonl.part.json").write_text("{", "utf8")
    assert "the record of the work is damaged" in predict("run", "in.jsonl", "-o", "out.jsonl", "--resume")[2]
    assert predict("run", "in.jsonl", "-o", "out.jsonl", "--force", "--skip-errors")[0] == 0


def test_nothing_is_overwritten_silently(predict):
    Path("out.jsonl").write_text("mine", "utf8")
    for words in ((), ("--resume",)):
        code, _, err = predict("run", "a.txt", "-o", "out.jsonl", *words)
        assert code == 2
        assert "--force" in err
    assert Path("out.jsonl").read_text("utf8") == "mine"
    assert predict("run", "a.txt", "-o", "out.jsonl", "--force")[0] == 0
    assert predict("run", "a.txt", "-o", "a.txt", "--force", "--format", "jsonl")[0] == 2


def test_a_docbin_for_spacy(predict, monkeypatch):
    spacy = pytest.importorskip("spacy")
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", 1)
    Path("in.jsonl").write_text("".join(json.dumps({"text": text, "id": i}) + "\n" for i, text in enumerate(TEXTS)))
    code, out, _ = predict("run", "in.jsonl", "-o", "out.spacy")
    assert code == 0
    assert "left out: 1 white space that is not one blank" in out
    predict("run", "in.jsonl", "-o", "out.jsonl")
    docs = list(spacy.tokens.DocBin().from_disk("out.spacy").get_docs(spacy.blank("en").vocab))
    for doc, one in zip(docs, records("out.jsonl"), strict=True):
        assert [token.text for token in doc] == runner.load("run").make_doc(one["text"]).words
        assert [token.tag_ for token in doc] == one["tags"]
        assert [token.head.i for token in doc] == one["heads"]
        assert [ent.label_ for ent in doc.ents] == [label for *_, label in one["entities"]]
        assert (doc.cats, doc.user_data["id"]) == (one["cats"], one["id"])
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt", "in.jsonl", "out.jsonl", "out.spacy", "run"]


def test_spacy_is_missing(predict, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.attrs", None)
    code, _, err = predict("run", "a.txt", "-o", "out.spacy")
    assert code == 2
    assert err.startswith("writing .spacy files needs spaCy, which cannot be imported")
    assert err.splitlines()[1] == '  Run `pip install "declarative-runner[spacy]"`, or write JSON lines.'
    assert not list(Path().glob("out*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "a.txt", "-o", "out.spacy.gz"), "OUT: a DocBin is packed already"),
        (("run", "a.txt", "-o", "-", "--format", "spacy"), "OUT: a DocBin is one packed table, which is no stream"),
        (("run", "a.txt", "-o", "out.iob", "--confidence"), "--confidence: iob has no place for probabilities"),
        (("run", "b.txt", "-o", "out.jsonl"), "b.txt: there is no such file or folder\n  did you mean 'a.txt'?"),
        (("run", "a.txt", "-o", "out.what"), "OUT: the name 'out.what' does not say the format"),
        (("run", "a.txt", "-o", "out.jsonl", "--workers", "0"), "--workers: must be at least 1, got 0"),
        (("run", "a.txt", "-o", "run"), "OUT: the name 'run' does not say the format"),
        (("run", "a.txt", "-o", "run", "--format", "jsonl"), "run: this is a folder"),
        (("run", "a.txt", "-o", "out.jsonl", "--from", "pdf"), "--from: unknown format 'pdf'"),
        (("run", "a.txt", "-o", "out.jsonl", "--format", "xml"), "--format: unknown format 'xml'"),
        (("run", "a.txt", "-o", "-", "--resume"), "--resume: standard output cannot be gone on with"),
        (("run", "-", "-", "-o", "-"), "INPUT: standard input is named twice"),
        (("run", "a.txt"), "command line: MODEL, INPUT and -o OUT are needed\n  Write python -m runner predict MODEL"),
        (("run", "u16.txt", "-o", "out.jsonl"), "u16.txt:1: many bytes are zero"),
        (("run", "cut.csv.gz", "-o", "out.csv"), "cut.csv.gz: the file cannot be unpacked"),
        (("run", "empty.txt", "-o", "out.jsonl"), "empty.txt: there is no text in the input"),
        (("run", "no.csv", "-o", "out.csv"), "no.csv:1: there is no column 'text' (columns: a, b)"),
        (("run", "bad.gz", "-o", "out.jsonl"), "bad.gz: the file cannot be unpacked"),
        (("nothing", "a.txt", "-o", "out.jsonl"), "nothing: there is no such model"),
    ],
)
def test_refused_in_a_few_lines(predict, words, told):
    Path("empty.txt").write_text("\n \n", "utf8")
    Path("no.csv").write_text("a,b\n1,2\n", "utf8")
    Path("bad.gz").write_bytes(b"Ada lives")
    Path("u16.txt").write_text("Ada lives.\n", "utf-16")
    Path("cut.csv.gz").write_bytes(gzip.compress(b"text\nAda\n")[:-12])
    before = sorted(Path().iterdir())
    code, out, err = predict(*words)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) <= 3
    assert out == ""
    assert sorted(Path().iterdir()) == before  # nothing to go on from is left behind


def test_a_table_without_texts_is_the_wrong_file_whatever_is_skipped(predict):
    Path("in.csv").write_text("id,body\n1,Ada lives.\n", "utf8")
    code, _, err = predict("run", "a.txt", "in.csv", "-o", "out.jsonl", "--skip-errors")
    assert code == 2
    assert "in.csv:1: there is no column 'text' (columns: id, body)" in err
    assert not Path("out.jsonl").exists()


def test_help_is_short(predict):
    code, out, _ = predict("--help")
    assert code == 0
    assert len(out.splitlines()) < 60
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
def test_a_killed_command_goes_on_and_its_workers_end(predict, tmp_path):
    n = 80_000  # texts of some seconds: what is done is noted every two
    Path("many.txt").write_text("".join(f"Ada {i} lives in Oslo.\n" for i in range(n)), "utf8")
    words = [sys.executable, "-m", "runner", "predict", "run", "many.txt", "-o", "out.jsonl", "--workers", "2"]
    process = subprocess.Popen(words, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    try:
        for _ in range(600):
            try:
                process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                if Path("out.jsonl.part.json").exists():
                    break
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert not Path("out.jsonl").exists()
    code, _, err = predict("run", "many.txt", "-o", "out.jsonl", "--resume")
    assert code == 0
    assert "going on after " in err
    assert [one["text"] for one in records("out.jsonl")] == [f"Ada {i} lives in Oslo." for i in range(n)]


def test_the_unsure_is_left_out(predict):
    """At 1 nothing is sure enough; at 0 all stays. The numbers stand there only if asked for."""
    for least, more in (("0", ()), ("1", ()), ("0.4", ("--confidence",))):
        assert predict("run", "a.txt", "-o", f"{least}.jsonl", "--min-confidence", least, *more)[0] == 0
    predict("run", "a.txt", "-o", "all.jsonl", "--confidence")
    plain = [{key: v for key, v in row.items() if not key.endswith("_confidence")} for row in records("all.jsonl")]
    assert records("0.jsonl") == plain
    assert {(*row["entities"], *row["cats"]) for row in records("1.jsonl")} == {()}
    assert [row["tags"] for row in records("1.jsonl")] == [row["tags"] for row in plain]
    for row, whole in zip(records("0.4.jsonl"), records("all.jsonl"), strict=True):
        pairs = zip(whole["entities"], whole["entity_confidence"], strict=True)
        assert row["entities"] == [entity for entity, value in pairs if value >= 0.4]
        assert list(row["cats"]) == [label for label, value in whole["cat_confidence"].items() if value >= 0.4]


@pytest.mark.parametrize("least", ["1.5", "-1", "nan"])
def test_the_least_confidence_is_a_probability(predict, least):
    code, _, err = predict("run", "a.txt", "-o", "out.jsonl", f"--min-confidence={least}")
    assert code == 2
    assert err.startswith("--min-confidence: must be from 0 to 1, got ")
