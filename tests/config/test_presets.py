"""What is wrong with a preset's file is told by the file; the advice, followed, makes it compose."""

from __future__ import annotations

import pytest

from runner.config.compose import compose
from runner.errors import RunnerError

HEADER = "# @package _global_\n"


def composed(folder, content, name="mine.yaml"):
    path = folder / "experiment" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode("utf-8"))
    return compose(["experiment=mine"], folder)


@pytest.mark.parametrize(
    ("content", "fact", "hint"),
    [
        ("training:\n  max_steps: 5\n", "is not marked as a preset", "Make '# @package _global_' its first line"),
        ("seed: 5\n" + HEADER, "is not marked as a preset", "first line"),
        ("\ufeff" + HEADER + "seed: 5\n", "byte order mark", "Save the file as UTF-8 without it"),
        ("", "the preset is empty", "Give it '# @package _global_'"),
        ("# a comment\n---\n", "the preset is empty", "then keys"),
        (HEADER + "defaults:\n  - override optimizer: radam\n", "has no slash", "Write `override /optimizer: radam`"),
        (HEADER + "defaults:\n  - optimizer: radam\n", "has no slash", "Write `override /optimizer: radam`"),
        (
            HEADER + "training.max_steps: 5\n",
            "'training.max_steps' is a dotted key",
            "Nest it: `training:`.*`max_steps: 5`",
        ),
        (HEADER + "training:\n\tmax_steps: 5\n", "a tab indents the line", "spaces"),
        (HEADER + "- seed: 5\n", "the preset is a list", "Write KEY: VALUE"),
        (HEADER + "seed\n", "the preset is a single value", "Write KEY: VALUE"),
    ],
)
def test_each_fault_is_told_by_its_own_name(tmp_path, content, fact, hint):
    with pytest.raises(RunnerError, match=rf"experiment/mine\.yaml.*{fact}.*\n.*{hint}"):
        composed(tmp_path, content)


def test_the_advice_works(tmp_path):
    assert composed(tmp_path, HEADER + "training:\n  max_steps: 5\n").training.max_steps == 5
    config = composed(tmp_path, HEADER + "defaults:\n  - override /optimizer: radam\n")
    assert config.optimizer["type"] == "radam"


def test_a_preset_in_the_wrong_place_or_with_another_ending(tmp_path):
    with pytest.raises(RunnerError, match=r"mine\.yml: a preset's name ends in \.yaml\n.*experiment/mine\.yaml"):
        composed(tmp_path, HEADER + "seed: 5\n", "mine.yml")
    (tmp_path / "experiment" / "mine.yml").rename(tmp_path / "mine.yaml")
    with pytest.raises(RunnerError, match=r"mine\.yaml: presets lie in a folder 'experiment'\n.*experiment/mine\.yaml"):
        compose(["experiment=mine"], tmp_path)


def test_a_fault_that_is_not_the_presets_is_told_as_before(tmp_path):
    composed(tmp_path, HEADER + "seed: 5\n")
    with pytest.raises(RunnerError, match="optimizer 'adan'"):
        compose(["experiment=mine", "optimizer=adan"], tmp_path)
    with pytest.raises(RunnerError, match="unknown experiment 'mime'"):
        compose(["experiment=mime"], tmp_path)
