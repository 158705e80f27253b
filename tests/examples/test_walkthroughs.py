"""Each folder of examples/: the commands of its README run in a copy, and print what the README shows.

A line `…` stands for any lines. Words, labels and counts are compared to the letter. A score may lie some points from the
README's, as another processor rounds otherwise; speeds, stars and the best epoch may be any.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.__main__ import main

ROOT = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(page.parent.name for page in ROOT.glob("*/README.md"))
POINTS = 15.0  # by which a score may differ
_SHARE = re.compile(r"0\.\d\d|1\.00")
_SCORE = re.compile(r"[1-9]\d?\.\d\d|100\.00")
_INTERVAL = re.compile(r"[-+]?\d+\.\d\d to [-+]?\d+\.\d\d")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Shown:
    """A command of a README and the lines that it is said to print."""

    words: list[str]
    lines: list[str]


def shown(page: Path) -> list[Shown]:
    """The commands of a README's blocks, in order."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```$", page.read_text(encoding="utf8"), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *lines = part.replace("\\\n", " ").rstrip("\n").splitlines()
            found.append(Shown(shlex.split(command), lines))
    return found


def is_as_shown(line: str, expected: str) -> bool:
    """Whether a line of a run reads as the README's: the same words and counts, and scores within their tolerance."""
    if _NUMBER.sub("#", line).rstrip(" *").split() != _NUMBER.sub("#", expected).rstrip(" *").split():
        return False
    line, expected = _INTERVAL.sub("", line), _INTERVAL.sub("", expected)  # of two seeds it may be any
    row = re.match(r" *\d+ +\d+ +\d+\.", expected)
    counts = 0 if expected.startswith("Best") else 2 if row else 99  # after epoch and step, a whole number is a speed
    for i, (ours, theirs) in enumerate(zip(_NUMBER.findall(line), _NUMBER.findall(expected), strict=True)):
        if theirs.isdigit() and ours != theirs and i < counts:
            return False
        if _SCORE.fullmatch(theirs) and abs(float(ours.replace(",", "")) - float(theirs)) > POINTS:
            return False
        if _SHARE.fullmatch(theirs) and abs(float(ours) - float(theirs)) > POINTS / 100:
            return False
    return True


def assert_printed(printed: str, expected: list[str]) -> None:
    """Each expected line is printed, in order; between two that a `…` does not part, nothing else."""
    lines = printed.rstrip("\n").splitlines()
    at, may_skip = 0, False
    for want in expected:
        if want == "…":
            may_skip = True
            continue
        same = [i for i in range(at, len(lines)) if is_as_shown(lines[i], want)]
        assert same, f"not printed: {want}\n{printed}"
        assert may_skip or same[0] == at, f"unexpected: {lines[at]}\n{printed}"
        at, may_skip = same[0] + 1, False
    assert may_skip or at == len(lines), f"unexpected: {lines[at:]}"


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model lies that several walkthroughs begin with; the first one trains it."""
    return tmp_path_factory.mktemp("examples") / "base"


def last(printed: str, heading: str) -> float:
    """The value in the last row of a run's table, in the column of that heading."""
    lines = printed.splitlines()
    top = next(i for i, line in enumerate(lines) if line.startswith("Epoch "))
    rows = [line for line in lines[top + 2 :] if re.match(r" *\d+ ", line)]
    end = re.search(rf"\b{heading}\b", lines[top]).end()  # type: ignore[union-attr]
    return float(rows[-1][:end].split()[-1].replace(",", ""))


def forgets_less(printed: list[str]) -> None:
    _, alone, taught, _ = printed
    assert last(alone, "Forgot") > last(taught, "Forgot") + 2


def tells_what_pays(printed: list[str]) -> None:
    means = {name: float(mean) for name, mean in re.findall(r"^(\w+) +2 +([\d.]+)", printed[0], re.M)}
    assert means["recipe"] > means["no_compounding"] + 20
    assert means["no_dropout_decay"] > means["recipe"]


LESSONS: dict[str, Callable[[list[str]], None]] = {  # beyond what the README shows
    "new_entity_type": forgets_less,
    "recipe": tells_what_pays,
    "update_ner": forgets_less,
}


def execute(words: list[str]) -> None:
    """Run a command of a README in this process."""
    if words[:3] == ["python", "-m", "runner"]:
        trains = not any(word.isidentifier() for word in words[3:4])
        assert main([*words[3:], *(["tracking=none"] if trains else [])]) == 0
    else:
        assert words[0] == "python", words
        runpy.run_path(words[1], run_name="__main__")


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_walkthrough_prints_what_its_readme_shows(
    name: str, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name
    shutil.copytree(ROOT / name / "conf", folder / "conf")
    for file in (
        path for path in (ROOT / name).iterdir() if path.is_file()
    ):  # and no model that someone has trained there
        shutil.copy(file, folder)
    monkeypatch.chdir(folder)
    commands = shown(folder / "README.md")
    assert any("runner" in one.words for one in commands)
    assert any(one.words[-1].endswith(".py") for one in commands)
    printed = []
    for one in commands:
        if "output_dir=base" in one.words and base_model.exists():
            shutil.copytree(base_model, "base")
            printed.append("")
            continue
        execute(one.words)
        printed.append(capsys.readouterr().out)
        assert_printed(printed[-1], one.lines)
        if "output_dir=base" in one.words:
            shutil.copytree("base", base_model)
    LESSONS.get(name, lambda printed: None)(printed)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_readme_is_short(name: str) -> None:
    assert len((ROOT / name / "README.md").read_text(encoding="utf8").splitlines()) < 60


def test_each_folder_is_a_walkthrough_of_the_list() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    assert re.findall(r"\]\((\w+)/README\.md\)", text) != []
    assert sorted(re.findall(r"\]\((\w+)/README\.md\)", text)) == sorted(
        path.name for path in ROOT.iterdir() if path.is_dir()
    )
