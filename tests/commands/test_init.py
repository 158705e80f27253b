"""`init`: a project that runs at once, and is written as a whole or not at all."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from runner import registry
from runner.__main__ import main
from runner.commands.init import N_DEV, N_TRAIN, RECORDS, write_project
from runner.errors import RunFailed, RunnerError

FILES = {
    ".github/workflows/train.yml", ".gitignore", "README.md", "conf/experiment/mine.yaml", "data/dev.jsonl", "data/texts.txt",
    "data/train.jsonl", "own.py", "requirements.txt",
}  # fmt: skip


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def commands_of_readme(folder: Path) -> list[str]:
    """The command lines of the README, in order."""
    lines = (folder / "README.md").read_text(encoding="utf8").splitlines()
    return [line for line in lines if line.startswith("python -m runner ")]


def commands_of_workflow(folder: Path) -> list[str]:
    """What the workflow runs, without the installation."""
    jobs = yaml.safe_load((folder / ".github/workflows/train.yml").read_text(encoding="utf8"))["jobs"]
    steps = [step["run"] for step in jobs["train"]["steps"] if "run" in step]
    assert steps[0] == "python -m pip install -r requirements.txt"
    return steps[1:]


def run(command: str, *more: str) -> None:
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "runner"]
    assert main([*words[3:], *more]) == 0, command


@pytest.fixture(autouse=True)
def schedules_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each project registers a schedule of the same name, which a process can do once."""
    registry.schedules.names()
    monkeypatch.setattr(registry.schedules, "_factories", dict(registry.schedules._factories))


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "my_project"]) == 0
    assert "cd my_project && python -m runner --config-dir conf experiment=mine" in capsys.readouterr().out
    project = tmp_path / "my_project"
    assert files(project) == FILES
    monkeypatch.chdir(project)
    first, debug, train, predict = commands_of_readme(project)
    assert " ".join(shlex.split(first)) == "python -m runner --config-dir conf experiment=mine"
    run(debug)
    assert "✔ every label has at least" in capsys.readouterr().out
    run(train, "tracking=none", "training.max_epochs=6")
    summary = json.loads((project / "model" / "summary.json").read_text(encoding="utf8"))
    assert summary["best"]["scores"]["ents_f"] > 0.4
    config = yaml.safe_load((project / "model" / "config.yaml").read_text(encoding="utf8"))
    assert config["optimizer"]["learn_rate"]["type"] == "half_cosine"
    run(predict)
    annotated = [json.loads(line) for line in (project / "annotated.jsonl").read_text(encoding="utf8").splitlines()]
    assert [one["text"] for one in annotated] == (project / "data/texts.txt").read_text(encoding="utf8").splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", RECORDS)
def test_the_workflow_of_every_pipeline_runs(pipeline, tmp_path, monkeypatch):
    project = tmp_path / "a project, with: odd name"
    write_project(project, pipeline)
    monkeypatch.chdir(project)
    for command in commands_of_workflow(project):
        run(command, *(["training.max_epochs=1"] if "max_epochs" in command else []))
    config = yaml.safe_load((project / "checked" / "config.yaml").read_text(encoding="utf8"))
    assert pipeline in config["pipeline"]["components"]
    assert config["corpus"]["name"] == "a-project-with-odd-name"
    summary = json.loads((project / "checked" / "summary.json").read_text(encoding="utf8"))
    assert summary["best"]["score"] is not None


@pytest.mark.parametrize("pipeline", RECORDS)
def test_the_readme_shows_the_shape_of_the_data(pipeline, tmp_path):
    write_project(tmp_path / "p", pipeline)
    lines = (tmp_path / "p" / "README.md").read_text(encoding="utf8").splitlines()
    (shown,) = [json.loads(line) for line in lines if line.startswith("{")]
    train = [json.loads(line) for line in (tmp_path / "p/data/train.jsonl").read_text(encoding="utf8").splitlines()]
    dev = [json.loads(line) for line in (tmp_path / "p/data/dev.jsonl").read_text(encoding="utf8").splitlines()]
    assert (len(train), len(dev)) == ((36, 9) if pipeline == "textcat" else (N_TRAIN, N_DEV))
    assert {tuple(one) for one in (*train, *dev)} == {tuple(shown)}
    assert not {json.dumps(one) for one in train} & {json.dumps(one) for one in dev}
    for path in (tmp_path / "p").rglob("*"):
        assert not path.is_file() or "@" not in path.read_text(encoding="utf8").replace("@package", "").replace(
            "checkout@v", ""
        ).replace("python@v", "").replace("@registry", ""), path


def test_an_empty_folder_is_taken_and_any_other_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["init", "empty"]) == 0
    assert files(tmp_path / "empty") == FILES
    capsys.readouterr()
    assert main(["init", "empty"]) == 2
    assert capsys.readouterr().err == "empty: the folder is not empty\n  Name a new folder, or empty this one.\n"
    (tmp_path / "file").write_text("x", encoding="utf8")
    with pytest.raises(RunnerError, match="this is a file"):
        write_project(Path("file"), "ner")
    assert main(["init", "other", "--pipeline", "nerr"]) == 2
    assert not (tmp_path / "other").exists()


def test_nothing_is_left_of_a_project_that_could_not_be_written(tmp_path, monkeypatch):
    def write_some(path: Path, text: str) -> None:
        if path.name == "own.py":
            raise OSError(28, "No space left on device")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")

    monkeypatch.setattr("runner.commands.init.write_file", write_some)
    with pytest.raises(RunFailed, match="No space left on device"):
        write_project(tmp_path / "p", "ner")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pipeline", ["ner", "textcat"])
def test_what_is_scored_was_seen_in_training(pipeline, tmp_path):
    """Records stand by topic in the sample's files; a part of them in order would lack whole labels."""
    write_project(tmp_path / "p", pipeline)

    def labels(split: str) -> set[str]:
        lines = (tmp_path / "p" / "data" / f"{split}.jsonl").read_text(encoding="utf8").splitlines()
        records = [json.loads(line) for line in lines]
        if pipeline == "ner":
            return {label for one in records for *_, label in one["entities"]}
        return {label for one in records for label, value in one["cats"].items() if value}

    assert labels("train") == labels("dev")
    assert len(labels("dev")) > 1


@pytest.mark.slow
def test_the_classifier_of_a_new_project_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path / "p", "textcat")
    monkeypatch.chdir(tmp_path / "p")
    assert main(["--config-dir", "conf", "experiment=mine", "tracking=none", "output_dir=out"]) == 0
    assert json.loads((tmp_path / "p/out/summary.json").read_text(encoding="utf8"))["best"]["score"] > 0.8


def test_the_walkthrough_has_the_same_reviews():
    root = Path(__file__).parents[2]
    for name in ("tone_train.jsonl", "tone_dev.jsonl"):
        shipped, shown = root / "runner/corpus/sample" / name, root / "examples/textcat" / name
        assert shipped.read_bytes() == shown.read_bytes(), name
