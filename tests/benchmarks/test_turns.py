"""Which runs are made, with which settings, and what is not repeated."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks import turns
from benchmarks.__main__ import main
from benchmarks.jobs import JOBS, Spec, our_overrides
from benchmarks.turns import Options, plan, run_all
from runner.config.compose import compose
from runner.errors import RunFailed, RunnerError


def test_sides_take_turns():
    specs = plan("speed", Options(jobs=["tagger"], batches=["words"], turns=2))
    assert [(spec.side, spec.seed) for spec in specs] == [("ours", 0), ("spacy", 0), ("ours", 1), ("spacy", 1)]


def test_a_preset_keeps_its_epochs():
    settings = ["experiment=parser"]
    ours, theirs = plan("accuracy", Options(jobs=["parser"], batches=["words"], turns=1, epochs=3, settings=settings))
    assert (ours.epochs, theirs.epochs) == (None, 3)
    assert (ours.settings, theirs.settings) == (("experiment=parser",), ())
    config = compose(our_overrides(ours))
    assert config.training.max_epochs == 12
    assert config.tok2vec["depth"] == 2


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("batch", ["words", "sentences"])
def test_every_job_composes(job, batch):
    config = compose(our_overrides(Spec("speed", "ours", job, batch, epochs=2, threads=2, limit=5)))
    assert (config.training.max_epochs, config.compute.threads, config.corpus.limit) == (2, 2, 5)
    assert config.tok2vec["width"] == 96
    assert config.dropout == {"type": "constant", "value": 0.2}
    size = config.batch["size"] if batch == "words" else config.batch
    assert (size["start"], size["stop"]) == ((100, 1000) if batch == "words" else (1, 32))
    expected = ["textcat"] if job.startswith("textcat") else list(JOBS[job].components)
    assert list(config.pipeline.components) == expected


def test_settings_win_over_the_regime():
    overrides = our_overrides(Spec("speed", "ours", "ner", "sentences", settings=("dropout=decaying", "batch.stop=16")))
    config = compose(overrides)
    assert config.dropout["type"] == "decaying"
    assert (config.batch["start"], config.batch["stop"]) == (1, 16)


def test_what_is_kept_is_not_repeated_unless_asked(tmp_path, monkeypatch):
    calls = []

    def measured(spec, folder):
        calls.append(spec.side)
        result = {"train_words": 9, "train_cpu_seconds": 1.0, "predict_words": 9, "predict_cpu_seconds": 1.0}
        return {**result, "peak_mb": 1.0, "curve": [{"score": 0.5}]}

    monkeypatch.setattr(turns, "run", measured)
    specs = plan("speed", Options(jobs=["tagger"], batches=["words"], turns=1))
    first = run_all(specs, Options(save=tmp_path))
    assert run_all(specs, Options(save=tmp_path)) == first
    assert calls == ["ours", "spacy"]
    run_all(specs, Options(save=tmp_path, fresh=["ours"]))
    assert calls == ["ours", "spacy", "ours"]
    assert {json.loads(path.read_text())["spec"]["side"] for path in tmp_path.glob("*.json")} == {"ours", "spacy"}


def test_the_name_of_a_result_tells_settings_apart_but_not_where_the_data_lies():
    spec = Spec("speed", "ours", "tagger", "words")
    others = [Spec("speed", "ours", "tagger", "words", **{key: 3}) for key in ("words", "limit", "threads", "width")]
    assert len({spec.name, *(other.name for other in others)}) == 5
    assert Spec("speed", "ours", "tagger", "words", data="/elsewhere").name == spec.name


def test_threads_are_the_sides_own_unless_given(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    assert "OPENBLAS_NUM_THREADS" not in turns.environment()
    assert turns.environment(3)["OPENBLAS_NUM_THREADS"] == "3"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"


def test_a_failed_process_is_told_in_its_own_words():
    mistake = turns.failure("benchmarks.ours", 2, "dropout: too much\n  Take less.\n")
    assert str(mistake) == "dropout: too much\n  Take less."
    crash = turns.failure("benchmarks.peer", 1, "Traceback …\nValueError: nothing left\n")
    assert isinstance(crash, RunFailed)
    assert "benchmarks.peer failed with exit code 1: ValueError: nothing left" in str(crash)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["report"], "--save: give the folder of the results"),
        (["speed", "--jobs", "taggr"], "did you mean 'tagger'?"),
    ],
)
def test_a_mistake_gives_two_lines_and_exit_code_2(argv, words, capsys):
    assert main(argv) == RunnerError.exit_code
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
