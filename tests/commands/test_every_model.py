"""Every command that takes a MODEL, on a model of every component, in a folder with nothing but the model and a file.

What the answers must be stands in the tests of each command; here each must run, and refuse in two lines what is no model.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runner
from runner.__main__ import main
from tests.conftest import full_records, write_jsonl

SMALL = {"type": "hash_embed_cnn", "width": 16, "depth": 1, "embed_size": 100}
SETTINGS = {
    "ner": {},
    "tagger": {},
    "parser": {"rnn_width": 8, "arc_width": 8, "label_width": 8},
    "textcat": {"architecture": {"type": "ensemble", "rows": 256, "hidden_width": 8}},
}
LAYERS = {
    "ner": ("entities",), "tagger": ("tags",), "parser": ("heads", "deps"), "textcat": ("cats",),
    "full": ("entities", "tags", "heads", "deps", "cats"),
}  # fmt: skip
SCORE = {"ner": "ents_f", "tagger": "tag_acc", "parser": "dep_las", "textcat": "cats_macro_f", "full": "dep_uas"}
COMMANDS = {
    "evaluate": ["evaluate", "model", "data.jsonl"],
    "predict": ["predict", "model", "texts.txt", "-o", "out.jsonl"],
    "threshold": ["threshold", "model", "data.jsonl"],
    "errors": ["errors", "model", "data.jsonl", "-o", "errors.html"],
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folders of small models: one of each component, and one of all."""
    folder = tmp_path_factory.mktemp("models")
    for kind in LAYERS:
        nlp = runner.blank("en", seed=1)
        for name in SETTINGS if kind == "full" else [kind]:
            nlp.add_pipe(name, {"tok2vec": SMALL, **SETTINGS[name]})
        records = full_records(12)
        docs = [runner.Doc(record["words"], record["spaces"]) for record in records]
        gold = [{key: record[key] for key in LAYERS[kind]} for record in records]
        nlp.initialize([runner.Example.from_dict(doc, one) for doc, one in zip(docs, gold, strict=True)])
        for _ in range(4):
            nlp.update(docs, gold)
        nlp.to_disk(folder / kind)
    return folder


@pytest.fixture
def call(models, tmp_path, monkeypatch, capfd):
    """Run a command beside a copy of a model: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(Path("data.jsonl"), full_records(8, 20))
    Path("texts.txt").write_text("Ada lives in Oslo.\nBo works in Rome.\n", "utf8")

    def run(kind, *words):
        if kind and not Path("model").exists():
            shutil.copytree(models / kind, "model")
        code = main(list(words))
        return code, *capfd.readouterr()

    return run


@pytest.mark.parametrize("kind", LAYERS)
def test_each_command_takes_a_model_of_each_component(call, kind):
    code, out, err = call(kind, *COMMANDS["evaluate"], "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["scores"][SCORE[kind]] is not None
    code, out, err = call(kind, *COMMANDS["predict"])
    assert (code, err) == (0, "")
    answers = [json.loads(line) for line in Path("out.jsonl").read_text("utf8").splitlines()]
    assert [answer["text"] for answer in answers] == Path("texts.txt").read_text("utf8").splitlines()
    assert all(set(LAYERS[kind]) <= answer.keys() for answer in answers)
    code, _, err = call(kind, *COMMANDS["errors"])
    assert (code, err) == (0, "")
    assert Path("errors.html").read_text("utf8").startswith("<!doctype html>")
    code, out, err = call(kind, *COMMANDS["threshold"])
    if kind in ("textcat", "full"):
        assert (code, err) == (0, "")
        assert out.startswith("model, textcat: 8 texts with gold categories\n")
    else:
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 2


def _newer(model):
    meta = json.loads((model / "meta.json").read_text("utf8"))
    (model / "meta.json").write_text(json.dumps({**meta, "format": 99}), "utf8")


def _cut(model):
    content = (model / "weights.msgpack").read_bytes()
    (model / "weights.msgpack").write_bytes(content[: len(content) // 2])


def _of_spacy(model):
    shutil.rmtree(model)
    model.mkdir()
    (model / "config.cfg").write_text("[nlp]\nlang = en\n")
    (model / "meta.json").write_text('{"lang": "en", "name": "core_web_sm", "spacy_version": ">=3.8"}')


def _of_a_hub(model):
    shutil.rmtree(model)
    model.mkdir()
    (model / "config.json").write_text('{"architectures": ["BertModel"], "hidden_size": 384}')
    (model / "model.safetensors").write_bytes(b"\0" * 64)


def _empty(model):
    shutil.rmtree(model)
    model.mkdir()


def _a_file(model):
    shutil.rmtree(model)
    model.write_text("no model")


def _binary(model):
    (model / "meta.json").write_bytes(b"\xff\xfe\0")


BROKEN = {
    "missing": shutil.rmtree, "empty": _empty, "file": _a_file, "newer": _newer, "cut": _cut, "binary": _binary,
    "spacy": _of_spacy, "hub": _of_a_hub,
    "no config": lambda model: (model / "config.json").unlink(),
    "no meta": lambda model: (model / "meta.json").unlink(),
    "no words": lambda model: (model / "lexemes.msgpack").unlink(),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_no_model_is_refused_in_two_lines(call, models, fault, command):
    shutil.copytree(models / "tagger", "model")
    BROKEN[fault](Path("model"))
    before = sorted(path.name for path in Path().iterdir())
    code, out, err = call(None, *COMMANDS[command])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 2, err
    assert err.startswith("model")
    assert max(map(len, err.splitlines())) < 200
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_newer_model_says_so(call, models, command):
    shutil.copytree(models / "tagger", "model")
    _newer(Path("model"))
    _, _, err = call(None, *COMMANDS[command])
    assert "the model was written by a newer version of runner (format 99" in err
    assert "Install a newer version of runner." in err
