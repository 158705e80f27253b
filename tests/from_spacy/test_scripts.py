"""spaCy 2.1's example scripts, written after the guide, run here as docs/from-spacy.md says; its tables are true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import runner
from runner.spacy_names import UnknownName
from tests.stress.damage import small_model

HERE = Path(__file__).parent
PAGE = (Path(runner.__file__).parents[1] / "docs" / "from-spacy.md").read_text("utf-8")
NAMES = re.compile(r"`(runner|nlp|component|doc|span|token|example|optimizer)\.(\w+)")


@pytest.fixture
def run(tmp_path, capsys):
    """Run a script's main with a folder for its model: the lines that it printed."""

    def call(name, first=None):
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.random.seed(0)
        module.main(*([first] if first is not None else [module.main.__defaults__[0]]), str(tmp_path / name))
        return capsys.readouterr().out.splitlines()

    return call


def test_entities_and_then_a_new_type(run, tmp_path):
    lines = run("train_ner")
    assert {line for line in lines if line.startswith("Saved")} == {
        "Saved []",
        "Saved [('Jonas Falk', 'PERSON'), ('Oslo', 'LOC')]",
        "Saved [('Mara Lindt', 'PERSON')]",
        "Saved [('Porto', 'LOC'), ('Vigo', 'LOC')]",
    }
    assert any("('Falk', 'PERSON', 'I')" in line for line in lines)
    again = run("train_ner", str(tmp_path / "train_ner"))
    assert again[0].startswith("Loaded model")
    assert "Saved [('Porto', 'LOC'), ('Vigo', 'LOC')]" in again
    lines = run("train_new_entity_type", str(tmp_path / "train_ner"))
    assert {"BIRD heron", "LOC Porto", "Saved BIRD heron", "Saved LOC Porto"} <= set(lines)
    labels = next(line for line in lines if line.startswith("Labels"))
    assert all(labels.count(label) == 2 for label in ("BIRD", "LOC", "PERSON")), labels


def test_a_new_type_beside_rehearsed_ones(run, tmp_path):
    run("train_ner")
    lines = run("rehearsal", str(tmp_path / "train_ner"))
    assert lines[-6:] == [
        "[('heron', 'BIRD')]",
        "[('Jonas Falk', 'PERSON'), ('Oslo', 'LOC')]",
        "[('Mara Lindt', 'PERSON')]",
        "[('Porto', 'LOC'), ('Vigo', 'LOC')]",
        "[]",
        "Saved ['owl']",
    ]
    assert "'ner'" in lines[-8]
    assert "'teach/ner'" in lines[-7]


def test_trees(run):
    lines = run("train_parser")
    assert lines[-1] == (
        "Saved [('I', 'nsubj', 'like'), ('like', 'ROOT', 'like'), ('rain', 'dobj', 'like'), "
        "('and', 'cc', 'wind'), ('wind', 'conj', 'rain'), ('.', 'punct', 'like')]"
    )
    assert any(line.startswith("Children ['I',") for line in lines)


def test_trees_of_meaning(run):
    lines = run("train_intent_parser")
    tree = "[('find', 'ROOT', 'find'), ('bakery', 'PLACE', 'find'), ('fresh', 'QUALITY', 'rye'), ('rye', 'ATTRIBUTE', 'bakery')]"
    assert lines.count(tree) == 2  # before and after it was saved


def test_tags(run):
    assert run("train_tagger")[-1] == (
        "Saved [('Porto', 'N', 'NOUN'), ('sell', 'V', 'VERB'), ('green', 'J', 'ADJ'), ('maps', 'N', 'NOUN')]"
    )


def test_categories(run):
    lines = run("train_textcat")
    assert lines[-1] == "Saved A warm film . POSITIVE"
    assert float(lines[-2].split("\t")[-1]) > 0.9


def test_the_scripts_import_runner_and_the_standard_library_alone():
    for script in (HERE / "rehearsal.py", *HERE.glob("train_*.py")):
        lines = script.read_text("utf-8").splitlines()
        imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert imported <= {"__future__", "random", "sys", "pathlib", "runner"}, script.name


def test_the_page_names_what_is_here_and_what_is_not():
    nlp = small_model(("tagger", "ner"))
    doc = nlp("Jane Smith bought two houses in London .")
    owners = {
        "runner": runner, "nlp": nlp, "component": nlp.get_pipe("ner"), "doc": doc, "token": doc[0], "span": doc.ents[0],
        "example": runner.Example.from_doc(doc), "optimizer": runner.adam(),
    }  # fmt: skip
    same, other = PAGE.split("## The same name")[1].split("## What else differs")[0].split("## Another name")
    for owner, name in NAMES.findall(same):
        assert hasattr(owners[owner], name), f"{owner}.{name}"
    rows = [line.split(" | ") for line in other.splitlines() if line.startswith("| `")]
    theirs = [pair for row in rows for pair in NAMES.findall(row[0]) if pair != ("nlp", "add_pipe")]
    assert len(theirs) > 30
    for owner, name in theirs:
        with pytest.raises(UnknownName, match="\n"):  # an error that says what to write
            getattr(owners[owner], name)
    for row in rows:
        for owner, name in NAMES.findall(row[1]):
            assert hasattr(owners[owner], name), f"{owner}.{name}"
