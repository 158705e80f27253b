"""`python -m runner errors`: what it writes, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from runner.__main__ import main


@pytest.fixture
def errors(full_run, tmp_path, monkeypatch, capfd):
    """Run the command beside a copy of the run and its data: (exit code, stdout, stderr)."""
    shutil.copytree(full_run.parent, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*words):
        code = main(["errors", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def values(path="errors.html"):
    return json.loads(re.search(r'id="data">(.*?)</script>', Path(path).read_text("utf8"), re.S)[1])


def test_the_page_is_of_the_runs_dev_set(errors):
    code, out, err = errors("run")
    assert (code, err) == (0, "")
    assert out.endswith("Written: errors.html\n")
    for name in ("tagger: ", "parser: ", "ner: ", "textcat: "):
        assert re.search(rf"^{name}\d+ of \d+ wrong", out, re.M)
    text = Path("errors.html").read_text("utf8")
    assert "the dev set of its run, dev.jsonl" in text
    assert "10 texts, 50 words" in text
    assert [one["view"] for one in values()["components"]] == ["words", "arcs", "spans", "text"]
    assert "By presence in the training data" in text


def test_named_files_are_shown_with_their_lines(errors):
    records = [json.loads(line) for line in Path("test.jsonl").read_text("utf8").splitlines()]
    for record in records:
        record["tags"] = ["FW"] * 5  # which the model has never met
    Path("odd.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf8")
    code, out, _ = errors("run/model-best", "odd.jsonl", "-o", "odd.html")
    assert code == 0
    assert "tagger: 35 of 35 wrong (wrong tag 35)" in out
    assert sorted(text["p"] for text in values("odd.html")["texts"]) == [f"odd.jsonl:{i}" for i in range(1, 8)]


def test_a_fold_has_not_seen_itself(errors):
    records = [
        {"words": [name, "slept"], "entities": [[0, len(name), "PER"]], "text": f"{name} slept"}
        for name in ("Ada", "Bo", "Cy", "Di", "Ed", "Fay", "Gus", "Hal")
    ]
    Path("names.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf8")
    words = ("corpus=files", "corpus.train=names.jsonl", "corpus.folds=4", "pipeline=ner", "tok2vec=small", "tok2vec.width=16",
             "tok2vec.depth=1", "tok2vec.embed_size=100", "training.max_epochs=1", "tracking=none",
             "output_dir=folded")  # fmt: skip
    assert main(list(words)) == 0
    errors("folded")
    text = Path("errors.html").read_text("utf8")
    assert re.search(r'<th scope="row">unseen</th><td class="number">2</td>', text)
    assert '<th scope="row">seen</th>' not in text


def test_training_data_that_is_gone_is_told_and_not_needed(errors):
    Path("train.jsonl").unlink()
    code, _, err = errors("run")
    assert code == 0
    assert err.startswith("not shown: what training has seen (")
    assert "By presence in the training data" not in Path("errors.html").read_text("utf8")
    assert errors("run", "--no-seen")[2] == ""


def test_a_folder_is_no_page(errors):
    code, _, err = errors("run", "-o", "run")
    assert code == 2
    assert err == "run: this is a folder\n  Name a file in it.\n"


def test_data_that_is_gone_is_named(errors):
    Path("dev.jsonl").unlink()
    code, _, err = errors("run")
    assert code == 2
    assert err.startswith("corpus.dev: there is no file dev.jsonl\n")
