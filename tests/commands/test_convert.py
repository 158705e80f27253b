"""`python -m runner convert`: files, folders and streams, what it prints, and how it ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.__main__ import main

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")

IOB = "Madrid\tB-LOC\nsleeps\tO\n\nAda\tB-PER\nruns\tO\n"
CONLLU = (
    "# text = I don't go\n1\tI\tI\tPRON\tPRP\t_\t4\tnsubj\t4:nsubj\t_\n2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\tdo\tdo\tAUX\tVBP\tMood=Ind\t4\taux\t4:aux\t_\n3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t4:advmod\t_\n"
    "4\tgo\tgo\tVERB\tVB\t_\t0\troot\t0:root\t_\n\n1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t0:root\t_\n\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run the command in a folder of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    Path("a.iob").write_text(IOB, "utf-8")
    Path("a.conllu").write_text(CONLLU, "utf-8")

    def call(*words):
        code = main(["convert", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def records(path):
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def test_one_file_and_its_summary(run):
    assert run("a.iob", "b.jsonl") == (0, "b.jsonl: 2 docs, 4 words, 2 entities\n", "")
    assert records("b.jsonl")[0] == {
        "text": "Madrid sleeps", "words": ["Madrid", "sleeps"], "spaces": [True, False], "entities": [[0, 6, "LOC"]],
        "sent_starts": [True, False],
    }  # fmt: skip
    code, out, _ = run("b.jsonl", "c.conllu")
    assert (code, out) == (
        0, "c.conllu: 2 docs, 4 words, 2 entities\n  left out: 2 entities (CoNLL-U has no place for them)\n",
    )  # fmt: skip
    assert run("b.jsonl", "d.iob")[0] == 0
    assert Path("d.iob").read_text() == IOB


def test_packed_in_and_out(run):
    Path("a.iob.gz").write_bytes(gzip.compress(IOB.encode()))
    assert run("a.iob.gz", "b.jsonl.gz")[0] == 0
    assert len(gzip.decompress(Path("b.jsonl.gz").read_bytes()).splitlines()) == 2
    first = Path("b.jsonl.gz").read_bytes()
    run("a.iob.gz", "b.jsonl.gz")
    assert Path("b.jsonl.gz").read_bytes() == first  # no time of day in it


def test_sentences_a_document(run):
    run("a.iob", "b.jsonl", "--n-sents", 5)
    assert [record["sent_starts"] for record in records("b.jsonl")] == [[True, False, True, False]]
    run("a.conllu", "b.jsonl", "--n-sents", 1)
    assert len(records("b.jsonl")) == 2
    code, _, err = run("b.jsonl", "c.jsonl", "--n-sents", 2)
    assert (code, err) == (
        2, "b.jsonl: --n-sents does not apply to the format jsonl\n  It takes names; leave the flag out.\n",
    )  # fmt: skip


def test_merged_subtokens(run):
    code, out, _ = run("a.conllu", "b.jsonl", "--merge-subtokens")
    assert code == 0
    first = records("b.jsonl")[0]
    assert first["words"] == ["I", "don't", "go"]
    assert first["heads"] == [2, 2, 2]
    assert first["tags"] == ["PRP", "RB", "VB"]  # of the last one, where the heads of both lie outside
    assert first["lemmas"] == ["I", "do not", "go"]
    assert "multiword" not in first
    assert "left out: 4 enhanced dependencies (of docs with merged words)" in out
    assert run("b.jsonl", "c.conllu")[0] == 0
    assert "2\tdon't\tdo not\tPART\tRB\t_\t3\tadvmod\t_\t_\n" in Path("c.conllu").read_text()


def test_folders(run):
    Path("raw/deep").mkdir(parents=True)
    Path("raw/x.iob").write_text(IOB)
    Path("raw/deep/y.conllu").write_text(CONLLU)
    Path("raw/README.md").write_text("# not data")
    Path("raw/.hidden.iob").write_text("x")
    code, out, _ = run("raw", "done")
    assert code == 0
    assert sorted(str(path) for path in Path("done").rglob("*.*")) == ["done/deep/y.jsonl", "done/x.jsonl"]
    assert out == (
        "done (2 files): 4 docs, 9 words, 2 entities\n  left out: 1 files without a known suffix (README.md)\n"
    )
    assert run("raw", "all.jsonl")[0] == 0
    assert len(records("all.jsonl")) == 4
    assert run("a.iob", "a.conllu", "two")[0] == 2  # both would be two/a.jsonl
    assert not Path("two").exists()


def test_standard_streams(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(IOB.encode()))))
    code, out, err = run("-", "-", "--to", "iob")
    assert (code, out, err) == (0, IOB, "standard output: 2 docs, 4 words, 2 entities\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a O\nb X\n")))
    code, out, err = run("-", "-")
    assert (code, out) == (2, "")
    assert err.startswith("standard input:2: 'X' is not an entity tag")


def test_options_of_a_reader(run):
    Path("a.csv").write_text("review;stars\nGood.;5\n")
    assert (
        run("a.csv", "b.jsonl", "--option", "text=review", "--option", "label=stars", "--option", "delimiter=;")[0] == 0
    )
    assert records("b.jsonl")[0]["cats"] == {"5": 1.0}


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["a.ibo", "b.jsonl"], "a.ibo: there is no such file"),
        (["a.iob"], "command line: the following arguments are required: OUTPUT"),
        (["a.iob", "b.xyz"], "OUTPUT: the name 'b.xyz' does not say the format"),
        (["a.iob", "b.jsonl", "--from", "conlu"], "--from: unknown format 'conlu'; did you mean 'conllu'?"),
        (["a.iob", "b.jsonl", "--to", "prodigy"], "--to: unknown format 'prodigy'"),
        (["a.iob", "b.jsonl", "--n-sents", "0"], "--n-sents: 0 sentences"),
        (["a.iob", "b.jsonl", "--n-sents", "x"], "command line: argument --n-sents: invalid int value"),
        (["a.iob", "b.jsonl", "--option", "x"], "--option: 'x' is no option"),
        (["a.iob", "b.jsonl", "--option", "scheme=iob9"], "--option"),
        (["a.iob", "a.iob"], "a.iob: the input would be overwritten"),
        (["a.iob", "b.jsonl", "--from", "jsonl"], "a.iob:1: the line is not JSON"),
        (["a.iob", "b.jsonl", "--from", "conllu"], "a.iob:1: 2 columns (expected 10)"),
        (["empty", "b.jsonl"], "empty: there is no file with a known suffix"),
        (["-", "-", "b.jsonl"], "INPUT: standard input is named twice"),
    ],
)
def test_mistakes_end_in_two_lines(run, words, fact):
    Path("empty").mkdir()
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith(fact), err
    assert err.count("\n") <= 3
    assert not Path("b.jsonl").exists()
    assert not list(Path().glob(".*.tmp"))


def test_an_error_leaves_the_old_output(run):
    Path("b.jsonl").write_text("old")
    Path("bad.iob").write_text(IOB + "\nx\tI_LOC\n")
    code, _, err = run("bad.iob", "b.jsonl")
    assert code == 2
    assert err.startswith("bad.iob:7: 'I_LOC' is not an entity tag")
    assert Path("b.jsonl").read_text() == "old"
    assert not list(Path().glob(".*.tmp"))


def test_all_left_out_is_an_error_that_says_why(run):
    Path("p.jsonl").write_text('{"text": "x", "spans": [], "answer": "ignore"}\n')
    code, _, err = run("p.jsonl", "b.jsonl")
    assert code == 2
    assert 'nothing is left to write (left out: 1 tasks with the answer "ignore")' in err
    assert not Path("b.jsonl").exists()


def test_tables_and_docbins_are_written(run):
    pytest.importorskip("spacy")
    code, out, err = run("a.conllu", "b.spacy")
    assert (code, err) == (0, "")
    assert out.startswith("b.spacy: 2 docs, 5 words, 0 entities\n")
    assert run("b.spacy", "c.jsonl")[0] == 0
    assert records("c.jsonl")[0]["heads"] == [3, 3, 3, 3]
    assert records("c.jsonl")[0]["lemmas"] == ["I", "do", "not", "go"]
    Path("t.jsonl").write_text('{"text": "A goal", "cats": {"SPORT": 1.0}}\n')
    assert run("t.jsonl", "t.csv")[0] == 0
    assert Path("t.csv").read_text() == "text,label\nA goal,SPORT\n"
    code, _, err = run("a.iob", "e.csv")
    assert (code, err) == (
        2,
        "a table holds texts and categories, and there is no category\n  Write .jsonl, which holds everything.\n",
    )
    assert not Path("e.csv").exists()


def test_help_lists_every_format(run):
    from runner import registry

    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for name in {*registry.readers.names(), *registry.writers.names()} - {"auto"}:
        assert f"\n  {name} " in out


def test_a_file_that_convert_reads_is_training_data_too(run):
    Path("p.jsonl").write_text(
        '{"text": "Ada ran", "spans": [{"start": 0, "end": 3, "label": "PER"}], "answer": "accept"}\n'
        '{"text": "x", "spans": [], "answer": "ignore"}\n'
    )
    from runner.corpus.datasets import CorpusSpec, load_corpus
    from runner.corpus.readers.auto import auto
    from runner.corpus.tokenizer import syntok

    corpus = load_corpus(CorpusSpec("p.jsonl", "a.conllu"), reader=auto(), tokenizer=syntok())
    assert corpus.left_out == {'tasks with the answer "ignore"': 1}
    assert corpus.summary()[-1] == 'left out: 1 tasks with the answer "ignore"'
    assert len(corpus.train) == 1


def test_a_reader_that_has_gone_is_no_fault(tmp_path):
    (tmp_path / "a.iob").write_text("x\tO\n\n" * 20_000)
    command = f"{sys.executable} -m runner convert a.iob - --to iob | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\tO\n", "")


@needs_data
def test_ewt_goes_to_json_lines_and_back(run):
    source = Path(MIRROR) / "ud_english_ewt/en_ewt-ud-dev.conllu"
    started = time.process_time()
    assert run(source, "dev.jsonl")[1] == "dev.jsonl: 2,001 docs, 25,147 words, 0 entities\n"
    assert run("dev.jsonl", "dev.conllu")[1] == "dev.conllu: 2,001 docs, 25,147 words, 0 entities\n"
    seconds = time.process_time() - started
    assert Path("dev.conllu").read_bytes() == source.read_bytes()
    assert 2 * 25_147 / seconds > 20_000  # a guard against what is not linear, on a machine that others use too
    assert run(source, "dev.iob")[0] == 0
    assert run(source, "merged.conllu", "--merge-subtokens")[0] == 0
    words = [
        line.split("\t")
        for line in Path("merged.conllu").read_text("utf-8").split("\n")
        if line.partition("\t")[0].isdecimal()
    ]
    assert not any("-" in columns[0] for columns in words)
    spans = re.findall(r"^([0-9]+)-([0-9]+)\t", source.read_text("utf-8"), re.MULTILINE)
    assert len(spans) == 359
    assert len(words) == 25_147 - sum(int(end) - int(start) for start, end in spans)


def test_a_line_of_raw_text_is_a_text(run):
    Path("raw.txt").write_text("Ada met Bo.\n\nIt rained.\n", "utf8")
    code, _, err = run("raw.txt", "raw.jsonl", "--from", "texts")
    assert (code, err) == (0, "")
    texts = [json.loads(line)["text"] for line in Path("raw.jsonl").read_text("utf8").splitlines()]
    assert texts == ["Ada met Bo.", "It rained."]
