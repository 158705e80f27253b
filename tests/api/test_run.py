"""`runner.train`: the command line's run, from Python, with nothing left behind in the process."""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.errors import Interrupted, RunFailed
from tests.conftest import full_records, write_jsonl

QUICK = ["corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "tok2vec=small", "tok2vec.width=16",
         "tok2vec.depth=1", "tok2vec.embed_size=100", "optimizer.learn_rate=0.005", "dropout=constant", "batch=words",
         "batch.size=40", "training.max_epochs=2", "tracking=none"]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_jsonl(tmp_path / "train.jsonl", full_records(24))
    write_jsonl(tmp_path / "dev.jsonl", full_records(8, 24))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text(encoding="utf8"))["weights_sha256"])


def surroundings() -> dict[str, object]:
    """What a run may change in its process."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins
    from hydra.version import VersionBase
    from threadpoolctl import threadpool_info

    Plugins.instance()
    importlib.import_module("numpy")  # whose library has a number of threads from then on
    return {
        "hydra": GlobalHydra.instance().hydra,
        "hydra config": HydraConfig.instance().cfg,
        "hydra version": VersionBase.instance().version_base,
        "sweepers": dict(ConfigStore.instance().repo["hydra"]["sweeper"]),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "streams": (sys.stdout, sys.stderr),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "logging": (logging.getLogger().level, list(logging.getLogger().handlers)),
        "threads": {one["filepath"]: one["num_threads"] for one in threadpool_info() if "/numpy." in one["filepath"]},
    }


@pytest.mark.slow
def test_a_run_gives_the_bits_of_the_command_line_twice_and_leaves_the_process_as_it_was(data, capsys):
    import hydra
    from threadpoolctl import threadpool_limits

    from runner.__main__ import main

    assert main([*QUICK, "output_dir=by_command"]) == 0
    with threadpool_limits(2), hydra.initialize(version_base="1.2", config_path=None):
        before = surroundings()
        first = runner.train([*QUICK, "output_dir=first"])
        assert surroundings() == before
        second = runner.train([*QUICK, "output_dir=second"])
        assert surroundings() == before
    assert weights(first.output_dir) == weights(second.output_dir) == weights(data / "by_command")
    assert (first.output_dir / ".hydra" / "overrides.yaml").is_file()  # Hydra's notes too
    assert first.output_dir == data / "first"
    assert first.status == "FINISHED"
    assert first.model == data / "first" / "model-best"
    assert first.errors_page == data / "first" / "errors.html"
    best = json.loads((data / "first" / "summary.json").read_text(encoding="utf8"))["best"]
    assert (first.score, first.epoch) == (best["score"], best["epoch"])
    assert first.scores["ents_f"] == best["scores"]["ents_f"]
    assert first.test is None
    assert first.overrides == (*QUICK, "output_dir=first")
    assert f"Best: epoch {first.epoch}, score {100 * first.score:.2f}" in capsys.readouterr().out
    assert [ent.label_ for ent in first.load()("Ada lives in Oslo.").ents] == ["PER", "LOC"]
    assert runner.RunResult.read("first") == first


@pytest.mark.slow
def test_resume_auto_gives_the_result_of_the_run_that_has_finished(data):
    first = runner.train([*QUICK, "training.max_epochs=1"])
    again = runner.train([*QUICK, "training.max_epochs=1", "resume=auto"])
    assert again.output_dir == first.output_dir


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("pipeline=ner seed=1", "Write runner.train(['pipeline=ner', 'seed=1'])."),
        (["-m", "seed=1,2"], "Write runner.sweep([…]) with the other words."),
        (["--help"], "Give overrides only"),
        (["--config-dir=conf"], "a folder of configs is the argument config_dir"),
        ([3], "3 is no text"),
        (["optimizer=adam,radam"], "Write runner.sweep([…]) with the same words."),
        (["repeat=3"], "Write runner.sweep([…]) with the same words."),
        (["experiment=recipe"], "Write runner.sweep([…]) with the same words."),
        (["pipeline=nerr"], "did you mean 'ner'?"),
        (["corpus.train=nowhere.jsonl", "corpus.dev=nowhere.jsonl"], "nowhere.jsonl"),
        (["tracking=none", "optimizer.learn_rate=fast"], "'fast' is not a number"),
    ],
)
def test_a_mistake_is_raised_and_printed_nowhere(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = surroundings()
    with pytest.raises(runner.RunnerError) as raised:
        runner.train(words)
    assert told in str(raised.value)
    assert capsys.readouterr().err == ""
    assert surroundings() == before
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_the_message_in_place_of_a_traceback():
    error = runner.RunnerError("there is no file", place="corpus.train", hint="Look.")
    assert error._render_traceback_() == ["RunnerError: corpus.train: there is no file\n  Look."]


@pytest.mark.parametrize("error", [RunFailed("the disk is full"), ZeroDivisionError("a bug")])
def test_the_error_of_the_run_is_the_error_of_the_call(error, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(config: object) -> Path:
        raise error

    monkeypatch.setattr("runner.commands.train.run", run)
    with pytest.raises(type(error)) as raised:
        runner.train(["tracking=none"])
    assert raised.value is error
    assert capsys.readouterr().err == ""


def test_an_interrupt_comes_through_and_the_next_call_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.commands.train.run", lambda config: signal.raise_signal(signal.SIGINT))
    before = surroundings()
    with pytest.raises(KeyboardInterrupt):
        runner.train(["tracking=none"])
    assert surroundings() == before
    monkeypatch.setattr("runner.commands.train.run", lambda config: config.output_dir)
    assert runner.train(["tracking=none"]).status == "KILLED"  # the stand-in wrote no summary


def test_sigterm_ends_the_run_in_order_and_then_has_its_own_handler(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heard = []
    ended = []

    def run(config: object) -> Path:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            ended.append(True)
            raise
        raise AssertionError("not interrupted")

    monkeypatch.setattr("runner.commands.train.run", run)
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.train(["tracking=none"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [True]
    assert heard == [signal.SIGTERM]


def test_a_run_inside_a_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.commands.train.run", lambda config: runner.train(["tracking=none"]))
    with pytest.raises(runner.RunnerError, match="another run is under way in this process"):
        runner.train(["tracking=none"])


def test_a_config_folder_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 7\n", encoding="utf8")
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr("runner.commands.train.run", lambda config: seen.append(config.seed) or config.output_dir)
    runner.train(["experiment=mine", "tracking=none"], config_dir="conf")
    assert seen == [7]


def test_a_run_without_a_model_says_so(tmp_path):
    result = runner.RunResult(tmp_path, "KILLED")
    with pytest.raises(runner.RunnerError, match="the run has kept no model"):
        result.load()
    assert str(result) == f"killed, no score, {tmp_path}"


def test_import_runner_and_its_functions_load_nothing_heavy():
    heavy = ("numpy", "hydra", "omegaconf", "pandas", "mlflow", "thinc")
    code = f"import sys, runner; runner.train, runner.sweep, runner.runs; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
