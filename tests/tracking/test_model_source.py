"""MODEL on a command line: folders, addresses of MLflow, installed packages, and what is refused."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest

import runner
from runner.components.storage import load_into
from runner.errors import RunnerError
from runner.tracking.model_source import find_model


def refused(reference: str | Path) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        find_model(reference).load()
    assert len(str(caught.value).splitlines()) <= 3
    return caught.value


def test_a_runs_folder_is_its_model_best(full_run):
    source = find_model(full_run)
    assert source.folder == full_run / "model-best"
    assert source.run().scores["tag_acc"] > 0
    assert source.config()["corpus"]["dev"] == "dev.jsonl"
    assert runner.load(full_run).pipe_names == ["tagger", "parser", "ner", "textcat"]


def test_a_model_folder_knows_the_run_that_it_lies_in(full_run, tmp_path):
    assert find_model(full_run / "model-last").run_folder == full_run
    with contextlib.chdir(full_run / "model-best"):
        assert find_model(".").config()["seed"] == 0
    alone = shutil.copytree(full_run / "model-best", tmp_path / "mine")
    source = find_model(alone)
    assert (source.run_folder, source.run(), source.config()) == (None, None, None)


def test_a_run_that_has_not_ended_has_a_config_and_no_result(full_run, tmp_path):
    shutil.copytree(full_run, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    source = find_model(tmp_path / "run")
    assert source.run() is None
    assert source.config()["corpus"]["train"] == "train.jsonl"


@pytest.mark.parametrize(
    ("files", "fact"),
    [
        ({}, "there is no model in this folder"),
        ({"config.cfg": "[nlp]", "meta.json": "{}"}, "this is a model of spaCy, not of runner"),
        ({"config.json": "{}", "model.safetensors": ""}, "this is a model of transformers, not of runner"),
        ({"config.yaml": "seed: 0"}, "the run has no model yet"),
        ({"0/model-best/meta.json": "{}", "1/model-best/meta.json": "{}"}, "the folder holds several runs: 0, 1"),
        ({"meta.json": "{"}, "the file is damaged"),
        ({"meta.json": '{"format": 99}'}, "the model was written by a newer version of runner"),
        ({"weights.msgpack": ""}, "cannot read: No such file or directory"),
    ],
)
def test_folders_of_something_else(tmp_path, files, fact):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf8")
    assert refused(tmp_path).fact.startswith(fact)


@pytest.mark.usefixtures("fresh_mlflow")
def test_names_that_lead_nowhere(tmp_path, full_run):
    (tmp_path / "notes.txt").write_text("buy milk", encoding="utf8")
    shutil.copytree(full_run / "model-best", tmp_path / "model-best")
    with contextlib.chdir(tmp_path):
        assert refused("notes.txt").fact == "this is a file, and a model is a folder"
        assert refused("model-bets").hint == "did you mean 'model-best'?"
        assert "an installed model (here: none)" in refused("elsewhere").hint
        assert refused("x" * 5000).fact.startswith("cannot read")
        assert refused("runs:/" + "0" * 32).fact.startswith("there is no MLflow store")


def test_an_installed_package_is_found_without_running_its_code(full_run, tmp_path, monkeypatch):
    package = tmp_path / "site" / "my_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('code of a model ran')", encoding="utf8")
    shutil.copytree(full_run / "model-best", package / "model")
    about = tmp_path / "site" / "my_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-model\nVersion: 1.0\n", encoding="utf8")
    (about / "entry_points.txt").write_text("[runner.models]\nmy-model = my_model\n", encoding="utf8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    for name in ("my-model", "my_model", "My.Model"):
        assert find_model(name).folder == package / "model"
    assert runner.load("my-model").pipe_names[0] == "tagger"
    assert "(here: my-model)" in refused("other-model").hint


@pytest.mark.mlflow
@pytest.mark.slow
@pytest.mark.usefixtures("fresh_mlflow")
def test_addresses_of_mlflow(tracked_run, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_id = json.loads((tracked_run / "summary.json").read_text("utf8"))["run_id"]
    monkeypatch.chdir(tracked_run.parent)
    with_name = find_model(f"runs:/{run_id}/model-best")
    for reference in (run_id, f"runs:/{run_id}", f"models:/{with_name.model_id}"):
        source = find_model(reference)
        assert (source.folder, source.run_id, source.model_id) == (with_name.folder, run_id, with_name.model_id)
    assert with_name.run().best["score"] == pytest.approx(find_model(tracked_run).run().best["score"])
    assert with_name.config()["corpus"]["test"] == "test.jsonl"

    from runner.tracking.mlflow.store import client_of

    client, _ = client_of()
    client.create_registered_model("names")
    for model in (f"models:/{with_name.model_id}", f"models:/{find_model(f'runs:/{run_id}/model-last').model_id}"):
        client.create_model_version("names", source=model, run_id=run_id, model_id=model.removeprefix("models:/"))
    client.set_registered_model_alias("names", "champion", 1)
    first, last = find_model("models:/names/1"), find_model("models:/names/latest")
    assert (first.folder, first.run_id) == (with_name.folder, run_id)
    assert find_model("models:/names@champion").folder == first.folder
    assert find_model("models:/names/2").folder == last.folder != first.folder
    weights = {name: json.loads((tracked_run / name / "meta.json").read_text("utf8"))["weights_sha256"]
               for name in ("model-best", "model-last")}  # fmt: skip
    assert [source.load().meta.get("weights_sha256") for source in (first, last)] == list(weights.values())
    monkeypatch.chdir(tmp_path)
    elsewhere = f"sqlite:///{tracked_run.parent}/mlflow.db"
    assert find_model(run_id, elsewhere).run().run_id == run_id
    for wrong in ("runs:/" + "0" * 32, f"runs:/{run_id}/model-worst", "models:/names/9", "models:/nobody/latest",
                  "models:/names@nobody", "models:/"):  # fmt: skip
        with pytest.raises(RunnerError) as caught:
            find_model(wrong, elsewhere)
        assert caught.value.place == wrong
        assert len(str(caught.value).splitlines()) <= 3


def test_load_into_still_names_a_missing_folder(tmp_path):
    with pytest.raises(RunnerError, match="there is no model folder here"):
        load_into(runner.Pipeline, tmp_path / "none", (), "numpy", 1)
