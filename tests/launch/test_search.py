"""Searches by Optuna: the space, the same trials for the same command, going on, pruning, repeats."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from runner.__main__ import main
from tests.commands.test_resume import TINY

pytest.importorskip("optuna", reason="Optuna is not installed (the extra `search`)")

SPACE = ("optimizer.learn_rate=tag(log,interval(1e-3,1e-1))", "tok2vec.width=range(8,21,4)", "optimizer=adam,radam")


def search(cwd: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    command = [
        "-m",
        *TINY,
        "training.max_epochs=2",
        "tracking=none",
        "hydra/launcher=basic",
        "hydra/sweeper=optuna",
        *words,
    ]
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(command)
    return code, out.getvalue(), err.getvalue()


def trials(folder: Path) -> list[list[str]]:
    return [job["overrides"] for job in json.loads((folder / "sweep.json").read_text())["jobs"]]


def values(folder: Path, key: str) -> list[str]:
    return [word.partition("=")[2] for words in trials(folder) for word in words if word.startswith(f"{key}=")]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("searched")
    code, out, err = search(cwd, *SPACE, "hydra.sweeper.n_trials=4", "output_dir=s", "hydra.sweeper.pruner=none")
    assert code == 0, err
    return cwd, out


@pytest.mark.slow
def test_trials_lie_in_the_space(searched):
    cwd, out = searched
    assert len(trials(cwd / "s")) == 4
    rates = [float(text) for text in values(cwd / "s", "optimizer.learn_rate")]
    assert len(set(rates)) == 4
    assert all(1e-3 <= rate <= 1e-1 for rate in rates)
    assert set(values(cwd / "s", "tok2vec.width")) <= {"8", "12", "16", "20"}
    assert out.count("finished") == 4
    assert "Best: job" in out


@pytest.mark.slow
def test_the_same_command_gives_the_same_trials(searched, tmp_path):
    words = (*SPACE, "hydra.sweeper.n_trials=2", "output_dir=s", "hydra.sweeper.pruner=none")
    assert search(tmp_path, *words)[0] == 0
    mine = [
        [word for word in words if "output_dir" not in word and "n_trials" not in word]
        for words in trials(tmp_path / "s")
    ]
    theirs = [[word for word in words if "output_dir" not in word] for words in trials(searched[0] / "s")]
    assert mine == theirs[:2]


@pytest.mark.slow
def test_it_goes_on_where_it_ended(searched):
    cwd, _ = searched
    before = trials(cwd / "s")
    stamps = [path.stat().st_mtime_ns for path in sorted((cwd / "s").glob("*/summary.json"))]
    words = (*SPACE, "hydra.sweeper.n_trials=5", "output_dir=s", "hydra.sweeper.pruner=none")
    code, out, err = search(cwd, *words)
    assert code == 0, err
    assert trials(cwd / "s")[:4] == before
    assert len(trials(cwd / "s")) == 5
    assert [path.stat().st_mtime_ns for path in sorted((cwd / "s").glob("[0-3]/summary.json"))] == stamps
    assert out.count("Best: epoch") == 1  # one training
    assert out.count("finished") >= 5  # and a table of all


@pytest.mark.slow
def test_what_falls_behind_is_pruned(tmp_path):
    code, out, err = search(
        tmp_path, "training.max_epochs=4", "optimizer.learn_rate=choice(0.01,1e-9)", "hydra.sweeper.sampler=random",
        "hydra.sweeper.n_trials=12", "output_dir=s",
    )  # fmt: skip
    assert code == 0, err
    pruned = [path for path in (tmp_path / "s").glob("*/summary.json") if json.loads(path.read_text())["pruned"]]
    assert pruned, out
    assert all(json.loads(path.read_text())["train_words"] < 4 * 495 for path in pruned)
    assert out.count("  pruned") == len(pruned)


@pytest.mark.slow
def test_repeats_are_scored_by_their_mean(tmp_path):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    code, _, err = search(
        tmp_path,
        "training.max_epochs=1",
        "optimizer=adam,radam",
        "repeat=2",
        "hydra.sweeper.n_trials=2",
        "output_dir=s",
    )
    assert code == 0, err
    assert values(tmp_path / "s", "seed") == ["0", "1", "0", "1"]
    scores = [
        json.loads((tmp_path / "s" / str(number) / "summary.json").read_text())["best"]["score"] for number in range(4)
    ]
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "s" / "study.log")))
    study = optuna.load_study(study_name="study", storage=storage)
    means = [sum(scores[:2]) / 2, sum(scores[2:]) / 2]
    assert [trial.value for trial in study.trials] == pytest.approx(means)


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ([], "nothing to search"),
        (["seed=0,1"], "the seed is searched"),
        (["tok2vec.width=range(8,8)"], "the range is empty"),
        (["optimizer.learn_rate=interval(-1,1)"], "learn_rate"),
        (["optimizer=adam,radam", "hydra.sweeper.sampler=magic"], "unknown sampler 'magic'"),
        (["optimizer=adam,radam", "hydra.sweeper.n_trials=0"], "n_trials"),
    ],
)
def test_mistakes_are_told_before_anything_starts(tmp_path, words, fact):
    code, _, err = search(tmp_path, *words)
    assert code == 2, err
    assert fact in err
    assert len(err.strip().splitlines()) <= 3
    assert not list(tmp_path.rglob("summary.json"))
