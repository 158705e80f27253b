"""Where a sweep and its jobs are put, and what its config may not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.config.schema import RunConfig
from runner.config.ticket import Ticket
from runner.launch.board import Board
from runner.launch.folders import SweepFolder
from runner.launch.program import run_app
from runner.launch.runs import Command

pytestmark = pytest.mark.usefixtures("stand_ins")

TWO = ("-m", "seed=0,1")


class Seen(NamedTuple):
    """checked, told: where each job was checked to write, and where it was then told to write."""

    folder: Path
    earlier: str
    checked: list[Path]
    told: list[Path]


Issue = Callable[..., tuple[int, Seen]]


@pytest.fixture
def issue(monkeypatch: pytest.MonkeyPatch) -> Issue:
    """Issue a sweep of two seeds with more words; its exit code, and what its board was told."""
    seen = Seen(Path(), "", [], [])
    begin = Board.begin

    def recorded(self: Board, configs: Sequence[RunConfig], place: SweepFolder) -> Ticket:
        nonlocal seen
        seen = seen._replace(folder=place.path, earlier=place.earlier)
        seen.checked.extend(config.output_dir for config in configs)
        return begin(self, configs, place)

    def issued(*words: str) -> tuple[int, Seen]:
        command = Command(lambda config: seen.told.append(config.output_dir))
        return run_app([*TWO, "tracking=none", "hydra/launcher=basic", *words], command), seen

    monkeypatch.setattr(Board, "begin", recorded)
    return issued


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "folder", "earlier"),
    [
        ("output_dir=mine", "mine", "mine"),
        ("hydra.sweep.dir=sw", "sw", "sw"),
        ("hydra.sweep.dir=.", ".", "."),
        ("hydra.sweep.dir=exp/b/", "exp/b", "exp/b"),
        ("hydra.sweep.dir='a b/[ü]'", "a b/[ü]", "a b/[[]ü]"),
        ("hydra.sweep.dir=x/${tok2vec.embed_size}", "x/2000", "x/2000"),
        ("hydra.sweep.dir=x/${hydra.runtime.choices.optimizer}", "x/adam", "x/adam"),
        ("hydra.sweep.dir=${hydra.job.name}/here", "runner/here", "runner/here"),
        ("hydra.sweep.dir=x/${now:%Y}/b", r"x/\d{4}/b", "x/*/b"),
        ("hydra.sweep.dir=x/${now:%Y/%m}-${random_digits:}", r"x/\d{4}/\d\d-\w{6}", "x/*/*-*"),
        ("output_dir=x/${now:%Y}", r"x/\d{4}", "x/*"),
        ("seed=0,1", r"outputs/multirun/[\d-]{10}/[\d-]{8}-\w{6}", "outputs/multirun/*/*-*"),
        ("hydra/sweeper=basic", r"outputs/multirun/[\d-]{10}/[\d-]{8}-\w{6}", "outputs/multirun/*/*-*"),
    ],
)
def test_its_folder_and_where_it_may_have_been_before(issue: Issue, word: str, folder: str, earlier: str) -> None:
    code, seen = issue(word)
    assert code == 0
    assert str(seen.folder) == folder or re.fullmatch(folder, str(seen.folder))
    assert seen.earlier == earlier
    assert seen.told == seen.checked == [(seen.folder / number).absolute() for number in "01"]


def test_an_absolute_folder(issue: Issue, tmp_path: Path) -> None:
    _, seen = issue(f"hydra.sweep.dir={tmp_path}/there/")
    assert seen.earlier == f"{tmp_path}/there"
    assert seen.told == [tmp_path / "there" / "0", tmp_path / "there" / "1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subdir", "expected"),
    [
        ("job-${hydra.job.num}", "job-1"),
        ("${hydra.job.override_dirname}", "seed=1,tracking=none"),
        ("a/${seed}", "a/1"),
    ],
)
def test_jobs_are_checked_for_the_folder_that_they_get(issue: Issue, subdir: str, expected: str) -> None:
    code, seen = issue("hydra.sweep.dir=sw", f"hydra.sweep.subdir={subdir}")
    assert code == 0
    assert seen.told == seen.checked
    assert seen.told[1] == Path("sw").absolute() / expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["output_dir=a,b"], "output_dir: it is of the sweep as a whole, and is swept"),
        (["repeat=2,3"], "repeat: it is of the sweep as a whole, and is swept"),
        (["force=true,false"], "force: it is of the sweep as a whole, and is swept"),
        (["hydra.sweep.dir=x/${nothing}"], "hydra.sweep.dir: the value refers to 'nothing'"),
        (["hydra.sweep.dir=x/${experiment}"], "hydra.sweep.dir: the value refers to 'experiment'"),
        (["hydra.sweep.dir=x/${seed}"], "hydra.sweep.dir: a sweep has one folder, and its jobs name several: x/0, x/1"),
        (["output_dir=x/${optimizer.type}", "optimizer=adam,sgd"], "hydra.sweep.dir: a sweep has one folder"),
    ],
)
def test_what_it_may_not_say(issue: Issue, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, seen = issue(*words)
    assert (code, seen.told) == (2, [])
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
    code = run_app(["--config-dir", "own", "experiment=mine", *words], Command(lambda config: None))
    assert code == 2
    assert capsys.readouterr().err.startswith(expected)


@pytest.mark.parametrize(
    "words",
    [
        ("hydra.sweeper.params={seed: '3,4'}",),
        ("hydra.sweeper.params.seed='3,4'",),
        ("+hydra.sweeper.params.seed='3,4'",),
        ("hydra/sweeper=basic", "hydra.sweeper.params={seed: 'range(3,5)', optimizer.L2: 0.1}"),
    ],
)
def test_params_on_the_command_line(words: tuple[str, ...]) -> None:
    seen: list[RunConfig] = []
    assert run_app(["-m", "tracking=none", "hydra/launcher=basic", *words], Command(seen.append)) == 0
    assert [config.seed for config in seen] == [3, 4]
    assert (seen[0].optimizer["L2"] == 0.1) is ("basic" in words[0])


def test_a_preset_chooses_the_sweeper() -> None:
    """In its defaults, where no word of the command line names it."""
    Path("own/experiment").mkdir(parents=True)
    preset = "# @package _global_\ndefaults:\n  - override /hydra/sweeper: optuna\nhydra: {mode: MULTIRUN}\n"
    Path("own/experiment/mine.yaml").write_text(preset)
    assert run_app(["--config-dir", "own", "experiment=mine", "tracking=none"], Command(lambda config: None)) == 2


def test_its_config_is_kept_without_secrets() -> None:
    words = [
        "-m",
        "seed=0,1",
        "tracking=none",
        "hydra/launcher=basic",
        "output_dir=out",
        "tracking.uri=http://ada:h1dd3n@host",
    ]
    run_app(words, Command(lambda config: None))
    text = Path("out/multirun.yaml").read_text()
    assert "GridSweeper" in text
    assert "h1dd3n" not in text
