"""`COMMAND --help` of every command of the registry, and the list of commands in `--help`."""

from __future__ import annotations

from pathlib import Path

import pytest

import runner
from runner import registry
from runner.__main__ import main
from runner.launch.help import listed_commands

COMMANDS = Path(runner.__file__).parent / "commands"


@pytest.mark.parametrize("name", registry.commands.mains)
def test_help_fits_a_small_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # argparse would fill them
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 79] == []
    assert name == "train" or lines[0].startswith(f"usage: python -m runner {name}")


def test_every_command_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    listed = list(listed_commands())
    assert [one.words.strip("[]").split()[0].rstrip("]") for one in listed] == list(registry.commands.mains)
    for words, about in listed:
        assert len(about) > 20
        assert f"  {words}  " in text
        assert f"  {about}\n" in text


def test_every_module_with_the_opening_of_a_command_is_registered() -> None:
    opened = {
        path
        for path in (*COMMANDS.glob("*.py"), *COMMANDS.glob("*/__init__.py"))
        if path.read_text(encoding="utf8").startswith('"""`python -m runner ')
    }
    known = {module.removeprefix("runner.commands.") for module in registry.commands.mains.values()}
    assert {path.parent.name if path.stem == "__init__" else path.stem for path in opened} == known


def test_a_command_of_ones_own_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry.commands, "_factories", {})
    Path("own.py").write_text(
        "from runner import registry\n"
        "@registry.commands('count')\n"
        "def count(argv):\n"
        "    'FILE…: count the words of files'\n"
    )
    assert main(["code=[own.py]", "--help"]) == 0
    assert "  count FILE…             count the words of files\n" in capsys.readouterr().out


def test_no_command_of_ones_own_takes_the_name_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("from runner import registry\n@registry.commands('info')\ndef info(argv):\n    pass\n")
    assert main(["code=[own.py]", "--help"]) == 2
    error = capsys.readouterr().err
    assert "the command 'info' is already registered by runner.commands.info.main" in error
    assert "another name" in error
