"""Where a sweep and its jobs are put, and what its config may not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.config.schema import RunConfig, Ticket
from runner.launch.program import run_app

pytestmark = pytest.mark.usefixtures("stand_ins")

TWO = ("-m", "seed=0,1")


class Board:
    """Takes the sweep where Hydra would put it."""

    n_to_run = 1  # one at a time

    def begin(self, configs: Sequence[RunConfig], folder: Path, earlier: str, **_: Any) -> Ticket:
        self.folder, self.earlier = folder, earlier
        self.checked = [config.output_dir for config in configs]
        return Ticket("key", folder, {i: str(i) for i in range(len(configs))})

    def end(self, *_: Any) -> None:
        pass


def issue(*words: str) -> tuple[int, Board, list[Path]]:
    """The exit code, the board, and where each job was told to write."""
    board, seen = Board(), []
    code = run_app([*TWO, *words], lambda config: seen.append(config.output_dir), board=lambda: board)
    return code, board, seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "folder", "earlier"),
    [
        ("output_dir=mine", "mine", "mine"),
        ("hydra.sweep.dir=sw", "sw", "sw"),
        ("hydra.sweep.dir=.", ".", "."),
        ("hydra.sweep.dir=exp/b/", "exp/b", "exp/b"),
        ("hydra.sweep.dir='a b/[ü]'", "a b/[ü]", "a b/[[]ü]"),
        ("hydra.sweep.dir=x/${training.max_epochs}", "x/15", "x/15"),
        ("hydra.sweep.dir=x/${hydra.runtime.choices.optimizer}", "x/adam", "x/adam"),
        ("hydra.sweep.dir=${hydra.job.name}/here", "runner/here", "runner/here"),
        ("hydra.sweep.dir=x/${now:%Y}/b", r"x/\d{4}/b", "x/*/b"),
        ("hydra.sweep.dir=x/${now:%Y/%m}-${random_digits:}", r"x/\d{4}/\d\d-\w{6}", "x/*/*-*"),
        ("output_dir=x/${now:%Y}", r"x/\d{4}", "x/*"),
        ("seed=0,1", r"outputs/multirun/[\d-]{10}/[\d-]{8}-\w{6}", "outputs/multirun/*/*-*"),
        ("hydra/sweeper=basic", r"outputs/multirun/[\d-]{10}/[\d-]{8}-\w{6}", "outputs/multirun/*/*-*"),
    ],
)
def test_its_folder_and_where_it_may_have_been_before(word: str, folder: str, earlier: str) -> None:
    code, board, seen = issue(word)
    assert code == 0
    assert str(board.folder) == folder or re.fullmatch(folder, str(board.folder))
    assert board.earlier == earlier
    assert seen == board.checked == [(board.folder / number).absolute() for number in "01"]


def test_an_absolute_folder(tmp_path: Path) -> None:
    _, board, seen = issue(f"hydra.sweep.dir={tmp_path}/there/")
    assert board.earlier == f"{tmp_path}/there"
    assert seen == [tmp_path / "there" / "0", tmp_path / "there" / "1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subdir", "expected"),
    [("job-${hydra.job.num}", "job-1"), ("${hydra.job.override_dirname}", "seed=1"), ("a/${seed}", "a/1")],
)
def test_jobs_are_checked_for_the_folder_that_they_get(subdir: str, expected: str) -> None:
    code, board, seen = issue("hydra.sweep.dir=sw", f"hydra.sweep.subdir={subdir}")
    assert code == 0
    assert seen == board.checked
    assert seen[1] == Path("sw").absolute() / expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["output_dir=a,b"], "output_dir: it is of the sweep as a whole, and is swept"),
        (["repeat=2,3"], "repeat: it is of the sweep as a whole, and is swept"),
        (["force=true,false"], "force: it is of the sweep as a whole, and is swept"),
        (["hydra.sweep.dir=x/${nothing}"], "hydra.sweep.dir: the value refers to 'nothing'"),
        (["hydra.sweep.dir=x/${experiment}"], "hydra.sweep.dir: the value refers to 'experiment'"),
    ],
)
def test_what_it_may_not_say(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, seen = issue(*words)
    assert (code, seen) == (2, [])
    error = capsys.readouterr().err
    assert error.startswith(expected)
    assert len(error.splitlines()) == 2


@pytest.mark.parametrize(
    ("param", "words", "expected"),
    [
        ("output_dir: x", (), "hydra.sweeper.params.output_dir: it is of the sweep as a whole, not of a job"),
        ("seed: '3,4'", ("repeat=2",), "repeat: the seed is swept"),
    ],
)
def test_what_a_presets_sweep_may_not_say(
    param: str, words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own/experiment").mkdir(parents=True)
    preset = f"# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      {param}\n"
    Path("own/experiment/mine.yaml").write_text(preset)
    code = run_app(["--config-dir", "own", "experiment=mine", *words], lambda config: None, board=Board)
    assert code == 2
    assert capsys.readouterr().err.startswith(expected)
