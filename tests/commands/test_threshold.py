"""`python -m runner threshold`: the choice, and that nothing is kept unless asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runner
from runner.__main__ import main

WORDS = ("good", "fine", "bad", "dull")


def record(i):
    """Every fourth text is GOOD, every second SHORT."""
    return {
        "text": f"a {WORDS[i % 4]} film {'!' * (i % 2)}",
        "cats": {"GOOD": float(i % 4 == 0), "SHORT": float(i % 2)},
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A classifier of two labels whose threshold is far too high."""
    nlp = runner.blank("en")
    nlp.add_pipe(
        "textcat", {"exclusive": False, "threshold": 0.999, "architecture": {"type": "bag_of_ngrams", "rows": 512}}
    )
    data = [(one["text"], {"cats": one["cats"]}) for one in map(record, range(40))]
    sgd = nlp.initialize(lambda: data)
    for text, annotation in data:
        nlp.update([text], [annotation], sgd=sgd)
    nlp.meta["scores"] = {"cats_f": 0.5}
    nlp.to_disk(tmp_path_factory.mktemp("cats") / "model")
    return tmp_path_factory.getbasetemp() / "cats0" / "model"


@pytest.fixture
def threshold(model, tmp_path, monkeypatch, capfd):
    shutil.copytree(model, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    Path("dev.jsonl").write_text("".join(json.dumps(record(i)) + "\n" for i in range(20)), "utf8")

    def call(*words):
        code = main(["threshold", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def f_of(folder):
    nlp = runner.load(folder)
    return nlp.evaluate([(one["text"], {"cats": one["cats"]}) for one in map(record, range(20))])["cats_macro_f"]


def test_a_better_threshold_is_found_and_not_kept(threshold):
    before = Path("model/config.json").read_bytes()
    code, out, err = threshold("model", "dev.jsonl", "--component", "textcat")
    assert (code, err) == (0, "")
    assert out.startswith("model, textcat: 20 texts with gold categories\n")
    assert "best: " in out
    assert Path("model/config.json").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["dev.jsonl", "model"]


@pytest.mark.parametrize("flags", [(), ("--by-label",)])
def test_kept_when_asked(threshold, flags):
    before = f_of("model")
    found = json.loads(threshold("model", "dev.jsonl", "--json", *flags)[1])
    assert threshold("model", "dev.jsonl", "-o", "copy", *flags)[0] == 0
    assert f_of("model") == before < f_of("copy")
    assert runner.load("copy").get_pipe("textcat").threshold == found["threshold"]
    assert "scores" not in runner.load("copy").meta
    code, out, _ = threshold("model", "dev.jsonl", "--save", *flags)
    assert (code, out.splitlines()[-1]) == (0, "saved: model")
    assert f_of("model") == f_of("copy")
    if not flags:
        assert f_of("copy") == pytest.approx(found["choices"][0]["best"]["f"])


def test_refused_in_a_few_lines(threshold, full_run):
    Path("tags.jsonl").write_text('{"words": ["a"], "tags": ["X"]}\n', "utf8")
    for words, told in (
        (("model", "tags.jsonl"), "tags.jsonl: there is no decision to choose a threshold for"),
        ((full_run, "dev.jsonl", "--component", "tagger"), "tagger: there is no decision"),
        (("model", "dev.jsonl", "--component", "textcut"), "did you mean 'textcat'?"),
        (("model", "dev.jsonl", "-o", "model"), "model: the folder exists"),
        (("model",), "command line: the following arguments are required: DATA"),
    ):
        code, _, err = threshold(*words)
        assert code == 2
        assert told in err
        assert len(err.splitlines()) <= 3


def test_help_is_short(threshold):
    code, out, _ = threshold("--help")
    assert code == 0
    assert len(out.splitlines()) < 60
    assert max(map(len, out.splitlines())) <= 80
