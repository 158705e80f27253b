"""predictions.jsonl: what a run leaves behind gives its scores again, and is a corpus."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from runner.__main__ import main
from runner.components.counts import score_of
from runner.components.predictions import FILE_NAME, load
from runner.errors import RunnerError

TINY = (
    "optimizer.learn_rate=0.01", "corpus.limit=60", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=300", "dropout=constant", "tracking=none", "output_dir=out", "training.max_epochs=4",
)  # fmt: skip


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*overrides):
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*TINY, *overrides]) == 0
        summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf8"))
        return summary["best"], load(tmp_path / "out" / FILE_NAME)

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (["pipeline=full", "training.best_epoch=each"], {"tag_acc", "dep_uas", "dep_las", "ents_f"}),
        (["pipeline=parser", "corpus.gold_tokens=false"], {"dep_uas", "dep_las"}),
        (["pipeline=textcat"], {"cats_macro_f"}),
        (["pipeline=ner", "+pipeline.components.merge={type: merge}"], {"ents_f"}),
    ],
    ids=["each", "other tokens", "textcat", "merge"],
)
def test_the_docs_counts_give_the_best_scores_again(train, overrides, keys):
    best, predictions = train(*overrides)
    assert set().union(*predictions.counts) == keys
    for key in keys:
        again = score_of([counts[key] for counts in predictions.counts if key in counts])
        assert again == pytest.approx(best["scores"][key], abs=1e-9)
        assert 0 < again < 1


@pytest.mark.slow
def test_the_file_is_a_corpus(train, tmp_path, capsys):
    train("pipeline=ner")
    assert main(["convert", f"out/{FILE_NAME}", "out.iob"]) == 0
    words = [word for line in (tmp_path / "out" / FILE_NAME).open() for word in json.loads(line)["words"]]
    assert [line.split()[0] for line in (tmp_path / "out.iob").open() if line.strip()] == words


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_text('{"text": "a", "counts": {"ents_f": [0, 1, 1]}}\n{"text": "b", "counts": {"ents_f": [2, 1, 1]}}\n')
    with pytest.raises(RunnerError, match=r"predictions.jsonl:2: this is no prediction"):
        load(path)
