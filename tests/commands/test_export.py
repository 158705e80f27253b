"""`python -m runner export --to spacy`: a folder that spaCy opens, or two lines that say why not."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

import runner
from runner.__main__ import main


@pytest.fixture
def export(full_run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(full_run, "run")

    def call(*words):
        code = main(["export", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_spacy_opens_what_was_written(export):
    spacy = pytest.importorskip("spacy")
    from runner.handover import spacy_pipe  # noqa: F401  registered, as the entry point would

    code, out, err = export("run", "out", "--to", "spacy")
    assert (code, err) == (0, "")
    size = sum(path.stat().st_size for path in Path("out").rglob("*") if path.is_file())
    assert out == f"out  {size:,} bytes: tagger, parser, ner, textcat\nspacy.load('out')\n"
    ours = runner.load("run")("Ada lives in Oslo.")
    doc = spacy.load("out")("Ada lives in Oslo.")
    assert [ent.text for ent in doc.ents] == [ent.text for ent in ours.ents]
    assert doc.cats == ours.cats
    assert sorted(path.name for path in Path().iterdir()) == ["out", "run"]


def test_an_existing_folder_is_not_replaced(export):
    Path("out").mkdir()
    code, out, err = export("run", "out", "--to", "spacy")
    assert (code, out, err) == (2, "", "out: the folder exists\n  Name a new one.\n")


def broken(folder):
    with Path(folder, "weights.msgpack").open("r+b") as file:
        file.seek(1000)
        file.write(b"????")


def newer(folder):
    meta = json.loads(Path(folder, "meta.json").read_text("utf8")) | {"format": 99}
    rest = {key: value for key, value in meta.items() if key != "meta_sha256"}
    meta["meta_sha256"] = hashlib.sha256(json.dumps(rest, sort_keys=True).encode("ascii")).hexdigest()
    Path(folder, "meta.json").write_text(json.dumps(meta), "utf8")


def foreign(folder):
    Path(folder, "config.cfg").write_text("[nlp]\n", "utf8")


@pytest.mark.parametrize(
    ("damage", "fact"),
    [
        (broken, "the file is damaged"),
        (newer, "written by a newer version of runner"),
        (foreign, "a model of spaCy"),
        (shutil.rmtree, "there is no such model"),
    ],
)
def test_a_model_that_does_not_load_is_two_lines(export, damage, fact):
    damage("run/model-best")
    code, out, err = export("run/model-best", "out", "--to", "spacy")
    assert (code, out) == (2, "")
    assert fact in err
    assert len(err.splitlines()) == 2
    assert not Path("out").exists()


def test_without_spacy_it_is_told_how_to_get_it(export, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    code, _, err = export("run", "out", "--to", "spacy")
    assert code == 2
    assert 'Run `pip install "declarative-runner[spacy]"`.' in err
    assert len(err.splitlines()) == 2


def test_the_library_must_be_named(export):
    code, _, err = export("run", "out")
    assert code == 2
    assert "--to" in err
    code, _, err = export("run", "out", "--to", "spay")
    assert (code, len(err.splitlines())) == (2, 2)


def test_the_help_is_narrow(export):
    assert max(map(len, export("--help")[1].splitlines())) < 80
