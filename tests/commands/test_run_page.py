"""errors.html in the folder of a run, and in MLflow."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.__main__ import main
from runner.commands import run_page
from runner.components.ner import EntityRecognizer
from runner.errors import Interrupted
from runner.training.keeper import FOLDER

TINY = (
    "pipeline=ner", "tracking=none", "optimizer.learn_rate=0.01", "corpus.limit=40", "tok2vec=small", "tok2vec.width=16",
    "tok2vec.depth=1", "tok2vec.embed_size=100", "dropout=constant", "training.max_epochs=2", "output_dir=out",
)  # fmt: skip


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Train in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def train(*more: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*TINY, *more])
        return code, out.getvalue(), err.getvalue()

    return train


def html(place: str = "out/errors.html") -> str:
    return Path(place).read_text("utf8")


def summary() -> dict[str, Any]:
    return json.loads(Path("out/summary.json").read_text("utf8"))


def test_a_run_leaves_the_page_of_its_best_epoch(train):
    code, out, err = train()
    assert (code, err) == (0, "")
    assert out.endswith("\nErrors: out/errors.html\n")
    best = summary()["best"]
    assert f"Errors of model-best of epoch {best['epoch']}" in html()
    assert f'<span class="label">ents_f</span> {100 * best["scores"]["ents_f"]:.1f} %' in html()
    assert "40 texts, " in html()
    assert "By presence in the training data" in html()
    assert "A sample" not in html()


def test_the_same_run_gives_the_same_page(train):
    train()
    before = html()
    train()
    assert html("out/previous-run/errors.html") == html() == before


def test_without_the_key_there_is_no_page(train):
    train()
    code, out, _ = train("training.errors=false")
    assert code == 0
    assert "Errors:" not in out
    assert not Path("out/errors.html").exists()  # the one before stands in previous-run/


def test_a_huge_dev_set_is_shown_by_a_sample(train, monkeypatch):
    monkeypatch.setattr(run_page, "MOST_WORDS", 200)
    monkeypatch.setattr(run_page, "MOST_TRAIN_WORDS", 10)
    train()
    n = int(re.search(r"A sample: (\d+) of 40 texts", html())[1])
    assert f": {n} texts, " in html()
    assert 0 < n < 20
    assert "By presence in the training data" not in html()


@pytest.mark.parametrize("error", [RuntimeError("odd\nluck"), MemoryError("odd luck")])
def test_a_page_that_fails_fails_no_run(train, monkeypatch, error):
    def outcomes(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(EntityRecognizer, "outcomes", outcomes)
    code, out, err = train()
    assert code == 0
    assert re.fullmatch(r"not written: errors\.html \((Runtime|Memory)Error: odd(\\n| )luck\)\n", err)
    assert summary()["status"] == "FINISHED"
    assert "Errors:" not in out


def test_an_interrupt_during_the_page_loses_nothing(train, monkeypatch):
    def interrupt(*_: Any, **__: Any) -> Any:
        raise Interrupted(143)

    with monkeypatch.context() as patch:
        patch.setattr(run_page, "examine", interrupt)
        code, _, err = train()
    assert code == 143
    assert "resume=auto" in err
    assert not Path("out/errors.html").exists()
    code, out, _ = train("resume=auto")
    assert code == 0
    assert out.endswith("\nErrors: out/errors.html\n")
    assert summary()["status"] == "FINISHED"
    assert not Path("out", FOLDER).exists()


def test_a_config_of_an_earlier_version_lacks_the_key(train):
    train("training.errors=false")
    config = yaml.safe_load(Path("out/config.yaml").read_text("utf8"))
    assert config["training"].pop("errors") is False
    Path("out/config.yaml").write_text(yaml.safe_dump(config), "utf8")
    assert main(["errors", "out"]) == 0
    assert "the dev set of its run" in html("errors.html")


@pytest.mark.slow
@pytest.mark.mlflow
def test_mlflow_has_the_page_once(tracked_run):
    journal = [json.loads(line) for line in (tracked_run / "journal.jsonl").read_text("utf8").splitlines()]
    (end,) = [event for event in journal if event["event"] == "finish"]
    names = ["config.yaml", "predictions.jsonl", "errors.html", "confusion.svg"]
    assert [Path(path).name for path in end["artifacts"]] == names
    for name in names[2:]:
        sent = list(tracked_run.parent.rglob(f"artifacts/{name}"))
        assert [path.read_bytes() for path in sent] == [(tracked_run / name).read_bytes()]


KILLED = """
import os, signal, sys
from runner.__main__ import main
from runner.commands import run_page

write = run_page._write

def write_and_die(*given):
    write(*given)
    os.kill(os.getpid(), signal.SIGKILL)

run_page._write = write_and_die
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.mlflow
def test_a_run_that_was_killed_after_its_page_sends_it_once(tmp_path):
    store = f"sqlite:///{tmp_path}/mlflow.db"
    words = [*TINY, "tracking=mlflow", f"tracking.uri={store}", "resume=auto", "training.checkpoint_steps=3"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=tmp_path, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out" / "errors.html").is_file()
    resumed = subprocess.run([sys.executable, "-m", "runner", *words], cwd=tmp_path, capture_output=True, timeout=120)
    assert resumed.returncode == 0, resumed.stderr
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("select status from runs").fetchall() == [("FINISHED",)]
    (sent,) = tmp_path.rglob("artifacts/errors.html")
    assert sent.read_bytes() == (tmp_path / "out" / "errors.html").read_bytes()
