"""A config of a stranger's runs nothing, sets nothing, and does not fill the memory."""

from __future__ import annotations

import logging
import os

import pytest

from runner.__main__ import main
from runner.config.compose import compose
from runner.errors import RunnerError

BOMB = "augmenters:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
LISTS = "augmenters:\n  a0: [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  a{i}: [" + ", ".join([f"'${{augmenters.a{i - 1}}}'"] * 10) + "]\n" for i in range(1, 10)
)
TEXTS = "augmenters:\n  a0: lol\n" + "".join(
    f"  a{i}: '" + f"${{augmenters.a{i - 1}}}" * 2 + "'\n" for i in range(1, 40)
)
IN_OUTPUT_DIR = TEXTS + "output_dir: ${augmenters.a39}\n"


def preset(folder, text, name="experiment/theirs.yaml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# @package _global_\n" + text, "utf8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hydra:\n  callbacks:\n    x: {_target_: os.mkdir, path: was_run}\n", "hydra.callbacks: Hydra's callbacks are not run"),
        ("hydra:\n  job:\n    env_set: {LD_PRELOAD: x}\n", "hydra.job.env_set.LD_PRELOAD: a config cannot set"),
        ("hydra:\n  job_logging:\n    handlers: {x: {class: logging.FileHandler, filename: was_run}}\n",
         "hydra.job_logging.handlers: Hydra's logging is switched off"),
        ("hydra:\n  hydra_logging:\n    filters: {x: {'()': os.mkdir, path: was_run}}\n", "hydra.hydra_logging.filters"),
        ("hydra:\n  launcher: {_target_: os.mkdir}\n", "hydra.launcher: '_target_: os.mkdir' is not allowed"),
        ("hydra:\n  sweeper: {max_batch_size: '${evil}'}\nevil: {_target_: os.mkdir, path: was_run}\n", "evil|max_batch"),
        ("defaults:\n  - override /hydra/sweeper: theirs\n", "hydra.sweeper.params: '_target_: os.mkdir' is not allowed"),
        ("pipeline:\n  components:\n    ner: {_target_: os.mkdir, path: was_run}\n", "takes no '_target_'"),
        ("optimizer:\n  learn_rate: {_target_: os.mkdir, path: was_run}\n", "optimizer.learn_rate"),
        ("optimizer: !!python/object/apply:os.mkdir [was_run]\n", "not valid YAML"),
        ("optimizer:\n  L2: !!bool x\n", "the value is not of type bool"),
        (BOMB, "not valid YAML: it holds more than 50,000 values"),
        ("augmenters: &a\n  x: *a\n", "not valid YAML: an alias stands inside its own anchor"),
        ("augmenters: " + "[" * 3000 + "]" * 3000, "not valid YAML: it nests too deeply"),
        ("# " + "x" * (2 << 20), "not valid YAML: it is longer than 1,048,576 bytes"),
        (LISTS, "the values refer to one another too many times"),
        (TEXTS, "the values refer to one another too many times"),
        (IN_OUTPUT_DIR, "the values refer to one another too many times"),
    ],
    ids=[
        "callbacks", "environment", "log file", "log filter", "launcher", "by reference", "sweeper", "component",
        "learn_rate", "python", "tag", "bomb", "endless", "deep", "long", "lists", "texts", "output_dir",
    ],
)  # fmt: skip
def test_a_preset_can_do_nothing_but_set_values(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    preset(tmp_path / "conf", text)
    sweeper = "_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\nmax_batch_size: null\n"
    (tmp_path / "conf/hydra/sweeper").mkdir(parents=True)
    (tmp_path / "conf/hydra/sweeper/theirs.yaml").write_text(
        sweeper + "params: {_target_: os.mkdir, path: was_run}\n", "utf8"
    )
    handlers = list(logging.getLogger().handlers)
    for flags in ([], ["-m"]) if "hydra" in text else ([],):
        code = main(["--config-dir", "conf", "experiment=theirs", "tracking=none", *flags])
        errors = capsys.readouterr().err
        assert code == 2, errors
        assert "Traceback" not in errors
        assert any(part in errors for part in message.split("|")), errors
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "outputs") == ["conf"]
    assert "LD_PRELOAD" not in os.environ
    assert logging.getLogger().handlers == handlers


def test_aliases_and_references_in_measure_are_fine(tmp_path):
    text = "pipeline:\n  components:\n    ner: &ner {type: ner, tok2vec: '${tok2vec}'}\n    other: *ner\n"
    preset(tmp_path, text)
    found = compose(["experiment=theirs"], tmp_path).pipeline.components
    assert found["ner"]["tok2vec"] == found["other"]["tok2vec"]
    assert found["other"]["tok2vec"]["width"] == "auto"


def test_the_rules_hold_for_configs_of_runner_alone(tmp_path):
    from omegaconf import OmegaConf

    compose([])
    path = tmp_path / "mine.yaml"
    path.write_text("a: " + "[" * 120 + "]" * 120, "utf8")
    with pytest.raises((RecursionError, AssertionError)):
        assert OmegaConf.load(path) is None  # read, or too deep for OmegaConf itself; not refused by ours


@pytest.mark.parametrize(
    "override",
    ["hydra/job_logging=default", "+hydra.job.env_set.X=1", "+hydra.callbacks.x._target_=os.getcwd"],
)
def test_the_command_line_neither(override):
    with pytest.raises(RunnerError, match=r"hydra\."):
        compose([override])


def test_launchers_that_are_installed_stay():
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    compose(["hydra/launcher=joblib"])
