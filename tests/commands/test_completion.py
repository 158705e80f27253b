"""What a shell completes: commands, groups, choices, keys and options; asked through bash itself."""

from __future__ import annotations

import doctest
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner import registry
from runner.__main__ import main
from runner.commands import completion
from runner.commands.completion import SHELLS, completions

SCRIPTS = Path(completion.__file__).parent


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ev", ["evaluate"]),
        ("opt", ["optimizer=", "optimizer."]),
        ("optimizer=", ["optimizer=adam", "optimizer=radam", "optimizer=sgd"]),
        ("seed=1 optimizer.learn", ["optimizer.learn_rate="]),
        ("optimizer=sgd optimizer.bet", []),
        ("-m optimizer=adam,r", ["optimizer=adam,radam"]),
        ("tok2vec=encoder tok2vec.pool", ["tok2vec.pooling="]),
        ("training.max_e", ["training.max_epochs="]),
        ("tracking.system_metrics=", ["tracking.system_metrics=true", "tracking.system_metrics=false"]),
        ("pipeline=tagger +augm", ["+augmenters="]),
        ("--cfg ", ["job", "hydra", "all"]),
        ("--mul", ["--multirun"]),
        ("hydra/sw", ["hydra/sweeper="]),
        ("-m hydra/sweeper=o", ["hydra/sweeper=optuna"]),
        ("debug corpus=wnut", ["corpus=wnut17"]),
        ("evaluate --lim", ["--limit"]),
        ("evaluate mod", []),
        ("corpus.train=tr", []),
        ("completion z", ["zsh"]),
    ],
)
def test_completions(line, expected):
    assert completions(shlex.split(line) + ([""] if line.endswith(" ") else [])) == expected


def test_the_first_word_may_be_any_command_and_a_preset_of_ones_own_is_known(tmp_path):
    assert set(registry.commands.mains) < set(completions([""]))
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 1\n", "utf8")
    assert completions(["--config-dir", str(tmp_path), "experiment=mi"]) == ["experiment=mine"]


def test_every_command_answers_with_its_own_options():
    for name in registry.commands.mains:
        assert "--help" in completions([name, "--"]), name


def bash(line: str) -> list[str]:
    """What bash offers behind this line."""
    call = f"""
        {shlex.quote(sys.executable)} -m runner completion bash > script; source ./script
        runner() {{ {shlex.quote(sys.executable)} -m runner "$@"; }}
        python() {{ {shlex.quote(sys.executable)} "$@"; }}
        compopt() {{ :; }}
        COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}; read -ra COMP_WORDS <<< "$COMP_LINE"
        COMP_CWORD=${{#COMP_WORDS[@]}}
        complete -p "${{COMP_WORDS[0]}}" > spec; read -ra spec < spec
        for i in "${{!spec[@]}}"; do [ "${{spec[i]}}" = -F ] && "${{spec[i + 1]}}"; done
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", call], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_asks_for_runner_and_for_the_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bash("runner optimizer=r") == ["radam"]  # bash has parted the word at =
    assert bash("runner training.max_e") == ["training.max_epochs="]
    assert bash("python -m runner -m seed=1,2 pipeline=parser_") == ["parser_fast"]
    assert bash("python -m http.ser") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_is_in_its_shells_language(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", str(SCRIPTS / f"completion.{shell}")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_scripts_and_mistakes(capsys):
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert "completion --words" in capsys.readouterr().out
    assert main(["completion", "powershell"]) == 2
    assert capsys.readouterr().err == ("completion: there is no script for 'powershell'\n  Known: bash, zsh, fish.\n")
    assert main(["-sc", "install=bash"]) == 2
    assert 'Write eval "$(runner completion bash)"' in capsys.readouterr().err


def test_examples():
    assert doctest.testmod(completion).failed == 0
