"""`python -m runner compare`: two trained runs, by their MLflow ids and by their folders."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.tracking.mlflow.runs import Store

TINY = (
    "pipeline=ner", "optimizer.learn_rate=0.01", "corpus.limit=40", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=100", "dropout=constant", "training.max_epochs=3",
)  # fmt: skip


def call(cwd: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two runs, a and b, in its mlflow.db."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        folder = tmp_path_factory.mktemp("compare")
        for name, seed in (("a", 0), ("b", 1)):
            code, _, err = call(folder, *TINY, f"seed={seed}", f"output_dir={name}")
            assert (code, err) == (0, "")
        yield folder


@pytest.fixture(scope="module")
def ids(place: Path) -> list[str]:
    return [json.loads((place / name / "summary.json").read_text("utf8"))["run_id"] for name in "ab"]


@pytest.fixture(scope="module")
def told(place: Path, ids: list[str]) -> str:
    """What the console says of the two, by their ids."""
    code, out, err = call(place, "compare", *ids, "-o", "report", "--rounds", "500")
    assert (code, err) == (0, "")
    return out


def query(place: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.slow
def test_what_differs_what_came_out_and_what_it_means(place, told):
    assert re.search(r"^\| seed +\| 0 +\| 1 +\|$", told, re.M)
    assert "optimizer" not in told  # it is the same
    best = [json.loads((place / name / "summary.json").read_text("utf8"))["best"]["score"] for name in "ab"]
    assert all(f"{100 * score:.2f}" in told for score in best)
    assert re.search(r"ents_f: .* points, p = 0\.\d+\.", told)


def test_markdown_and_page_are_written_and_in_mlflow(place, ids, told):
    text = (place / "report" / "compare.md").read_text("utf8")
    assert text in told
    assert "<svg" in (place / "report" / "compare.html").read_text("utf8")
    run_id = re.search(r"MLflow run: (\w+) \(runner\)", told)[1]
    assert query(place, f"select name, status from runs where run_uuid = '{run_id}'")[0][1] == "FINISHED"
    (kept,) = (path.parent for path in place.rglob("compare.html") if run_id in path.parts)
    assert (kept / "compare.md").read_text("utf8") == text


def test_folders_tell_the_same_as_mlflow(place, told):
    code, out, err = call(place, "compare", "a", "b", "-o", "again", "--rounds", "500", "--no-log")
    assert (code, err) == (0, "")
    assert out.partition("Written")[0] == told.partition("Written")[0]
    assert "MLflow run:" not in out


def test_a_run_without_predictions_and_without_tracking_is_still_compared(place, ids, tmp_path):
    shutil.copytree(place / "b", tmp_path / "old")
    for name in ("predictions.jsonl", "journal.jsonl"):
        (tmp_path / "old" / name).unlink()
    code, out, err = call(place, "compare", ids[0], str(tmp_path / "old"), "-o", "older", "--no-log")
    assert (code, err) == (0, "")
    assert "No significance test with B: it has no predictions.jsonl" in out
    assert re.search(r"^\| seed +\| 0 +\| 1 +\|$", out, re.M)


def test_all_runs_of_a_folder(place):
    code, out, _ = call(place, "compare", "--sweep", ".", "-o", "sweep", "--rounds", "100", "--no-log")
    assert code == 0
    assert "# Comparison of A, B" in out


def test_all_runs_below_a_run_but_not_those_that_sum_up_others(place, ids, told):
    with contextlib.chdir(place), Store() as store:
        parent, summing_up = (store.log_report("runner", name, [], {}, "") for name in ("sweep", "2 seeds"))
        for run_id in (*ids, summing_up):
            store.set_tags(run_id, {"mlflow.parentRunId": parent})
    code, out, err = call(place, "compare", "--sweep", parent, "-o", "parent", "--rounds", "500", "--no-log")
    assert (code, err) == (0, "")
    assert out.partition("Written")[0] == told.partition("Written")[0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a"], "compare: there is one run, and nothing to compare it with"),
        (["a", "a"], "a: run A is named twice"),
        (["a", "0123abc"], "0123abc: there is no such run"),
        (["a", "report"], "report: this is not the folder of a run: it has no summary.json"),
        (["a", "b", "--rounds", "0"], "--rounds: must be at least 1, got 0"),
        (["a", "b", "--colour"], "command line: unrecognized arguments: --colour"),
        (["--sweep", "report"], "report: there is no run in this folder"),
        (["a", "b", "--log", "-o", "a/summary.json"], "cannot write"),
    ],
)
def test_mistakes_are_told_in_two_lines(place, told, words, error):
    code, _, err = call(place, "compare", *words)
    assert code in (1, 2)
    assert error in err
    assert len(err.splitlines()) <= 2
