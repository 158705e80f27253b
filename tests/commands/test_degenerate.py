"""Data that nothing can be learned from, or nothing be scored on: refused or warned of before the first step."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.assemble import make_corpus, make_learner
from runner.commands.degenerate import check_worth
from runner.config.compose import compose
from runner.errors import RunnerError

TINY = (
    "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "tok2vec=small", "tok2vec.width=16",
    "tok2vec.depth=1", "tok2vec.embed_size=100", "tracking=none", "training.max_epochs=1", "output_dir=out",
)  # fmt: skip
NO_PARSER = (
    "pipeline=full", "~pipeline.components.parser", "~pipeline.score_weights.dep_uas", "~pipeline.score_weights.dep_las",
)  # fmt: skip
NOT_EXCLUSIVE = "pipeline.components.textcat.exclusive=false"


def cats(*values: dict[str, float]) -> list[dict[str, Any]]:
    return [{"text": f"film {i}", "cats": value} for i, value in enumerate(values)]


def words(**layers: Any) -> dict[str, Any]:
    return {"words": ["Ada", "met", "Bo"], **layers}


TREE = words(heads=[1, 1, 1], deps=["nsubj", "root", "obj"])
ROOTS = words(heads=[0, 1, 2], deps=["root", "root", "root"])
NAMES = words(entities=["U-PER", "O", "U-PER"])
EITHER = cats({"A": 1}, {"B": 1})
SOME = cats({"A": 1, "B": 0}, {"A": 0, "B": 1})


def write(folder: Path, train: list[dict[str, Any]], dev: list[dict[str, Any]]) -> None:
    for name, records in (("train", train), ("dev", dev), ("plain", [words()])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf8")


def judged(folder: Path, *overrides: str) -> None:
    """What a run asks before its first step."""
    with contextlib.chdir(folder):
        config = compose([*TINY, *overrides])
        corpus = make_corpus(config)
    pipeline, sgd, plan = make_learner(config, corpus.train)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    check_worth(pipeline, corpus, plan)


BOW = ("pipeline=textcat_bow",)
REFUSED: dict[str, tuple[tuple[str, ...], list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "one exclusive label": (BOW, cats({"A": 1}, {"A": 1}), EITHER, "'textcat' chooses one category for each text, and"),
    "one label held": (BOW, cats({"A": 1}, {"A": 1, "B": 0}), EITHER, "every text of the training data is of the same"),
    "no label held": (BOW, cats({"A": 0, "B": 0}), EITHER, "no text of the training data is of any category"),
    "no text lacks a label": ((*BOW, NOT_EXCLUSIVE), EITHER, SOME, "no text of the training data lacks a label"),
    "no text has a label": ((*BOW, NOT_EXCLUSIVE), cats({"A": 0}, {"B": 0}), SOME, "no text of the training data has a"),
    "labels that never change": ((*BOW, NOT_EXCLUSIVE), cats({"A": 1, "B": 0}), SOME, "every label has the same value"),
    "one tag": (("pipeline=tagger",), [words(tags=["X", "X", "X"])], [words(tags=["X", "Y", "X"])], "every tagged word"),
    "only roots": (("pipeline=parser_fast",), [ROOTS], [TREE], "every word of the training data is a root"),
    "dev without entities": (("pipeline=ner",), [NAMES], [words(entities=["O", "O", "O"])], "nothing in the dev data"),
    "dev without annotation": (("pipeline=ner",), [NAMES], [words()], "nothing in the dev data"),
    "dev without trees": (("pipeline=parser_fast",), [TREE], [NAMES], "nothing in the dev data"),
    "dev of one class": ((*BOW, NOT_EXCLUSIVE), SOME, cats({"A": 1}, {"B": 1}), "nothing in the dev data tells"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind, tmp_path):
    overrides, train, dev, fact = REFUSED[kind]
    write(tmp_path, train, dev)
    with pytest.raises(RunnerError) as raised:
        judged(tmp_path, *overrides)
    assert raised.value.fact.startswith(fact)
    assert raised.value.hint
    assert raised.value.place in ("corpus.train", "corpus.dev")


WARNED: dict[str, tuple[tuple[str, ...], list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "a label no text lacks": (
        (*BOW, NOT_EXCLUSIVE), cats({"A": 1, "C": 1}, {"A": 0}), SOME, "no text of the training data lacks C",
    ),
    "a list of names": (
        ("pipeline=ner",), [words(entities=["B-PER", "I-PER", "L-PER"])], [NAMES], "every word of the training data is in",
    ),
    "one of two layers in dev": (
        NO_PARSER, [words(tags=["N", "V", "N"], entities=["U-PER", "O", "U-PER"])],
        [NAMES], "the dev data has no gold for tag_acc",
    ),
    "other labels in dev": (
        ("pipeline=ner",), [NAMES], [words(entities=["U-PERSON", "O", "O"])], "no label of the dev data occurs in the",
    ),
    "dev is train": (("pipeline=ner",), [NAMES], [NAMES], "dev.jsonl is also training data"),
    "test is dev": (("pipeline=ner", "corpus.test=dev.jsonl"), [NAMES, NAMES], [NAMES], "dev.jsonl is also dev data"),
    "test without gold": (("pipeline=ner", "corpus.test=plain.jsonl"), [NAMES, NAMES], [NAMES], "nothing in the test data"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WARNED)
def test_warned_of(kind, tmp_path, capsys):
    overrides, train, dev, fact = WARNED[kind]
    write(tmp_path, train, dev)
    judged(tmp_path, *overrides)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(("warning: corpus.train: ", "warning: corpus.dev: ", "warning: corpus.test: "))
    assert said[0].split(": ", 2)[2].startswith(fact)


def test_folds_are_no_overlap(tmp_path, capsys):
    write(tmp_path, [NAMES, NAMES], [])
    judged(tmp_path, "pipeline=ner", "corpus.dev=null", "corpus.folds=2")
    assert capsys.readouterr().err == ""


def in_process(folder: Path, *given: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*given])
    return code, out.getvalue(), err.getvalue()


def test_the_run_and_debug_say_the_same_and_the_advice_works(tmp_path):
    write(tmp_path, EITHER * 4, EITHER)
    code, out, err = in_process(tmp_path, *TINY, *BOW, NOT_EXCLUSIVE)
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == (
        "corpus.train: no text of the training data lacks a label, so 'textcat' learns nothing"
    )
    assert not (tmp_path / "out").exists()
    code, out, _ = in_process(tmp_path, "debug", *TINY, *BOW, NOT_EXCLUSIVE)
    assert code == 1
    assert "no text of the training data lacks a label, so 'textcat' learns nothing" in out
    advice = "pipeline.components.textcat.exclusive=true"
    assert err.rstrip(".\n").endswith(advice)
    code, out, err = in_process(tmp_path, *TINY, *BOW, NOT_EXCLUSIVE, advice)
    assert (code, err) == (0, "")


def test_a_layer_without_gold_in_dev_is_a_dash_null_and_no_part_of_the_choice(tmp_path):
    both = words(tags=["N", "V", "N"], entities=["U-PER", "O", "U-PER"])
    write(tmp_path, [both] * 4, [words(tags=["N", "V", "N"])])
    code, out, err = in_process(tmp_path, *TINY, *NO_PARSER, "training.best_epoch=each")
    assert code == 0, err
    row = out.partition("\n-----")[2].splitlines()[1].split()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf8"))
    scores = summary["best"]["scores"]
    assert row.count("-") == 3  # NER P, R and F
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == (None, None, None)
    assert summary["best"]["score"] == scores["tag_acc"]
    assert json.loads((tmp_path / "out" / "model-best" / "meta.json").read_text())["scores"]["ents_f"] is None
