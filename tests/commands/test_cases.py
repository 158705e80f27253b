"""Inputs in the shape of what people bring, in the folder `cases` beside RUNNER_DATA_MIRROR: what each command must say.

Each row of the folder's README is a row here: command, exit code, what must be told, and what must not.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.__main__ import main
from runner.config.compose import compose
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
CASES = Path(MIRROR).parent / "cases" if MIRROR else Path("cases")
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="there is no folder cases beside RUNNER_DATA_MIRROR")

TINY = ("tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "tracking=none")
BOW = ("pipeline=textcat_bow",)
MANY = "pipeline.components.textcat.exclusive=false"


def run(folder: Path, *words: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words])
    return code, " ".join((out.getvalue() + err.getvalue()).split())


@pytest.fixture
def call(tmp_path):
    """Run a command of the README's table on a case, copied into a folder of its own."""

    def call(command: str, file: str, *more: str) -> tuple[int, str]:
        if not (tmp_path / file).exists():
            shutil.copyfile(CASES / file, tmp_path / file)
        data = ("corpus=files", f"corpus.train={file}", f"corpus.dev={file}", *more)
        if command == "C":
            return run(tmp_path, "convert", file, "out.jsonl", *more)
        if command == "D":
            return run(
                tmp_path, "debug", *data, *(word for word in TINY if BOW[0] not in more or "tok2vec" not in word)
            )
        return run(tmp_path, *data, "tracking=none", "training.max_steps=1", "output_dir=out")

    return call


ROWS = [
    ("iob1_in_iob2.iob", "D", (), 0, ["1 entity opens with I-, read as B-"], ["refused"]),
    ("iob1_in_iob2.iob", "C", (), 0, ["1 entity opens with I-, read as B-", "2 docs, 4 words, 2 entities"], []),
    ("semicolon.csv", "D", BOW, 0, ["the cells are parted by ';'"], ["no column"]),
    ("mixed_exclusive.jsonl", "D", BOW, 1, ["pipeline.components.textcat.exclusive=false"], [" components.textcat.exclusive"]),
    ("iobes.iob", "C", (), 0, ["read as IOBES (S = U, E = L in BILUO)", "2 entities"], []),
    ("id_lines.conll", "C", (), 0, ["2 lines that begin with # are read as comments", "2 docs, 3 words"], ["columns where"]),
    ("cr_only.iob", "C", (), 2, ["CR alone", r"tr '\r' '\n'"], ["1 doc"]),
    ("doccano_spans.jsonl", "C", (), 0, ["entities in 'label' (doccano)", "1 entities"], []),
    ("doccano_categories.jsonl", "C", (), 0, ["2 records have their categories in 'label'"], []),
    ("text_label.jsonl", "D", BOW, 0, ["categories in 'label'"], ["no example"]),
    ("tokens_ner_tags.jsonl", "C", (), 0, ["entities in 'ner_tags'", "1 entities"], ["paragraphs"]),
    ("guide_list.json", "C", (), 0, ["1 entities"], ["paragraphs"]),
    ("ner_annotator.json", "C", (), 0, ["1 entities"], ["paragraphs"]),
    ("label_studio.json", "C", (), 0, ["Label Studio", "1 entities"], ["paragraphs"]),
    ("key_typo.jsonl", "D", (), 0, ["key 'entites', did you mean 'entities'? (1 of 2 lines)"], []),
    ("key_typo.jsonl", "T", (), 0, ["warning: key_typo.jsonl:1: key 'entites', did you mean 'entities'? (1 of 2 lines)"], []),
    ("label_blank.jsonl", "D", (), 0, ["'PER ' and 'PER'", "begin or end with a blank"], []),
    ("cp1252.csv", "C", (), 2, ["looks like CP1252", "iconv -f CP1252"], ["LATIN1"]),
    ("no_negatives.csv", "T", (*BOW, MANY), 2, ["corpus.train"], ["100.0"]),
    ("no_negatives.csv", "D", (*BOW, MANY), 1, ["texts that lack it"], []),
    ("one_label.jsonl", "T", BOW, 2, ["corpus.train"], ["100.0"]),
    ("quotes_differ_v2.json", "C", (), 0, ["raw text is left out", "8 words, 1 entities"], []),
    ("japanese.jsonl", "D", (), 1, ["the 2 entities", "does not split Japanese", "pipeline.tokenizer"], ["right file"]),
    ("japanese.jsonl", "D", ("pipeline.tokenizer.type=spacy",), 1, ["does not split Japanese"], ["right file"]),
    ("escape_in_label.jsonl", "D", (), 0, ["PER"], ["\x1b", "\x07"]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "command", "more", "code", "told", "not_told"), ROWS)
def test_each_case_ends_as_the_table_says(call, file, command, more, code, told, not_told):
    found, output = call(command, file, *more)
    assert found == code, output
    for text in told:
        assert text in output
    for text in not_told:
        assert text not in output


PRESETS = {
    "no_header": "Make '# @package _global_' its first line",
    "bom": "byte order mark",
    "empty": "the preset is empty",
    "override_without_slash": "Write `override /optimizer: radam`",
    "dotted_key": "Nest it",
}


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_told_its_own_fault(name):
    with pytest.raises(RunnerError) as caught:
        compose([f"experiment={name}"], CASES / "presets")
    assert PRESETS[name] in str(caught.value)


def test_the_strict_mode_refuses_and_its_advice_works(call):
    code, output = call("D", "iob1_in_iob2.iob", "corpus.reader.scheme=iob2")
    assert code == 1
    advice = re.search(r"corpus\.reader\.scheme=\w+", output)[0]
    assert call("D", "iob1_in_iob2.iob", advice)[0] == 0
    code, output = call("C", "iob1_in_iob2.iob", "--option", "scheme=iob2")
    assert code == 2
    option, value = re.search(r"(--option) (scheme=\w+)", output).groups()
    assert call("C", "iob1_in_iob2.iob", option, value)[0] == 0


@pytest.mark.parametrize("file", ["cr_only.iob", "cp1252.csv"])
def test_the_advised_command_makes_the_file_readable(call, tmp_path, file):
    _, output = call("C", file)
    command = re.search(r"(iconv .*|tr .*)$", output)[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    new = command.rpartition("> ")[2]
    code, output = call("C", new)
    assert code == 0, output
    assert "2 docs" in output


def test_the_advice_on_categories_works(call):
    assert call("D", "mixed_exclusive.jsonl", *BOW, MANY)[0] == 0
