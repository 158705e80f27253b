"""A command in a file of the user's own: `python -m runner code=[FILE] NAME …`."""

from __future__ import annotations

import pytest

from runner import registry
from runner.__main__ import main

COUNT = """
from pathlib import Path

from runner import registry
from runner.errors import RunnerError


@registry.commands("count")
def count(argv):
    if not argv:
        raise RunnerError("nothing to count", place="count", hint="Name a file.")
    print(sum(len(Path(file).read_text().split()) for file in argv))
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry.commands, "_factories", {})
    (tmp_path / "own.py").write_text(COUNT)
    (tmp_path / "text.txt").write_text("Maria Keller flew to Oslo .")


def test_runs_with_the_words_after_its_name(capsys):
    assert main(["code=[own.py]", "count", "text.txt", "text.txt"]) == 0
    assert capsys.readouterr().out == "12\n"


def test_its_errors_are_told_as_those_of_any_command(capsys):
    assert main(["code=[own.py]", "count"]) == 2
    assert capsys.readouterr().err == "count: nothing to count\n  Name a file.\n"


def test_a_misspelt_name_is_told_the_known_ones(capsys):
    assert main(["code=[own.py]", "cuont", "text.txt"]) == 2
    assert "did you mean 'count'?" in capsys.readouterr().err


def test_an_own_file_stands_before_a_command_of_the_program(capsys):
    assert main(["code=[nofile.py]", "debug"]) == 2
    assert "code: there is no file 'nofile.py'" in capsys.readouterr().err
