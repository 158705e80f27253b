"""`python -m runner rerun`: the same bits, or why not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from runner.__main__ import main
from runner.compare import reproduction as repetition
from runner.corpus.locate import SAMPLE

pytestmark = pytest.mark.mlflow

TINY = (
    "pipeline=ner", "optimizer.learn_rate=0.01", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=100", "dropout=constant", "training.max_epochs=2",
    "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl",
)  # fmt: skip


def call(cwd: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text("utf8"))


def tags(place: Path, run_id: str) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as connection:
        return dict(connection.execute("select key, value from tags where run_uuid = ?", [run_id]).fetchall())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with data and one run, first/, in its mlflow.db."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "learn_rate"):
            patch.delenv(name, raising=False)
        folder = tmp_path_factory.mktemp("rerun")
        for part in ("train", "dev"):
            lines = (SAMPLE / f"{part}.jsonl").read_text("utf8").splitlines(keepends=True)
            (folder / f"{part}.jsonl").write_text("".join(lines[:30]), "utf8")
        code, _, err = call(folder, *TINY, "output_dir=first")
        assert (code, err) == (0, "")
        yield folder


@pytest.fixture(scope="module")
def run_id(place: Path) -> str:
    return str(summary(place / "first")["run_id"])


def test_the_same_bits(place, run_id, monkeypatch):
    monkeypatch.setenv("learn_rate", "0.5")  # a default then and now, and no part of what is repeated
    code, out, err = call(place, "rerun", run_id, "output_dir=again")
    assert (code, err) == (0, "")
    assert f"rerun of {run_id} (" in out
    assert ": the same bits" in out
    first, again = summary(place / "first"), summary(place / "again")
    assert first["weights_sha256"] == again["weights_sha256"]
    assert again["run_id"] != run_id
    before, after = tags(place, run_id), tags(place, again["run_id"])
    assert (after["rerun_of"], after["same_bits"]) == (run_id, "true")
    assert after["weights_sha256.model-last"] == before["weights_sha256.model-last"] == first["weights_sha256"]
    assert after["weights_sha256.model-best"] == before["weights_sha256.model-best"]
    assert after["code_digest"] == before["code_digest"]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Nehalem is a kernel of x86-64 processors")
def test_on_another_kernel_the_kernel_is_named_and_not_the_program(place, run_id):
    """OpenBLAS's oldest kernel runs on every such processor, and rounds otherwise than the newer ones."""
    kernel = tags(place, run_id)["kernel"]
    if not kernel.startswith("OpenBLAS") or "Nehalem" in kernel:
        pytest.skip("numpy computes with another BLAS, or with that kernel already")
    ended = subprocess.run(
        [sys.executable, "-m", "runner", "rerun", run_id, "output_dir=older"],
        cwd=place, env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    other = tags(place, summary(place / "older")["run_id"])["kernel"]
    assert other == summary(place / "older")["kernel"]
    assert "Nehalem" in other
    assert summary(place / "first")["kernel"] == kernel
    assert f"not as it was: the kernel ({kernel} → {other}); the bits may differ for it" in ended.stdout
    assert f"Settings, data and code are the same; the kernel is another ({kernel} → {other})" in ended.stdout
    assert ended.returncode == 1  # the bits are others


def test_another_value_is_said_and_is_no_failure(place, run_id):
    code, out, err = call(place, "rerun", run_id, "output_dir=other", "seed=1")
    assert (code, err) == (0, "")
    assert "not as it was: seed (0 → 1)" in out
    assert ": other bits" in out
    assert tags(place, summary(place / "other")["run_id"])["same_bits"] == "false"


def test_a_folder_will_do_and_other_bits_are_a_failure(place, tmp_path):
    """Bits that differ without a reason, made up here by changing what the first run is said to have had."""
    folder = tmp_path / "first"
    folder.mkdir()
    for name in ("config.yaml", "summary.json", "journal.jsonl"):
        (folder / name).write_bytes((place / "first" / name).read_bytes())
    for name in ("model-best", "model-last"):
        (folder / name).mkdir()
        (folder / name / "meta.json").write_text('{"weights_sha256": "0123456789abcdef0123"}')
    code, out, _ = call(place, "rerun", str(folder), "output_dir=third")
    assert code == 1
    assert ": other bits" in out
    assert "model-last  weights 0123456789abcdef…, now " in out
    assert "this should not be" in out


def test_without_tracking_it_is_still_a_repetition(place, run_id):
    code, out, err = call(place, "rerun", run_id, "output_dir=untracked", "tracking.type=console")
    assert (code, err) == (0, "")
    assert ": the same bits" in out
    assert "no repetition" not in out


def test_a_repetition_is_not_registered_again(place):
    """A copy of a model is no new version of it."""
    assert call(place, *TINY, "output_dir=named", "tracking.register=names", "tracking.alias=best")[0] == 0
    code, out, _ = call(place, "rerun", "named", "output_dir=named-again")
    assert code == 0
    assert "not as it was" not in out
    client = MlflowClient(registry_uri=f"sqlite:///{place}/mlflow.db")
    assert [int(one.version) for one in client.search_model_versions("name = 'names'")] == [1]


def test_other_data_is_refused_and_forced(place, run_id):
    path = place / "dev.jsonl"
    whole = path.read_text("utf8")
    path.write_text("".join(whole.splitlines(keepends=True)[:20]), "utf8")
    try:
        code, _, err = call(place, "rerun", run_id, "output_dir=refused")
        assert code == 2
        assert f"{run_id}: the data is not what it was: the dev data (dev.jsonl: " in err
        assert "train" not in err.partition("\n")[0]
        assert len(err.splitlines()) == 2
        assert not (place / "refused").exists()
        code, out, _ = call(place, "rerun", run_id, "output_dir=forced", "--force")
        assert code == 0
        assert "not as it was: the dev data" in out
    finally:
        path.write_text(whole, "utf8")


def test_other_code_is_refused_and_forced(place, run_id, monkeypatch):
    monkeypatch.setattr(repetition, "code_digest", lambda: "f" * 64)
    code, _, err = call(place, "rerun", run_id, "output_dir=refused")
    assert code == 2
    assert f"{run_id}: the code is not what it was: runner's source (" in err
    assert "→ ffffffff" in err
    assert not (place / "refused").exists()
    code, out, _ = call(place, "rerun", "--force", run_id, "output_dir=newer")
    assert code == 0
    assert "not as it was: runner's source" in out
    assert ": the same bits" in out  # the change did not matter, and that is told


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["0123abc"], "0123abc: there is no such run"),
        (["seed=1"], "seed=1: there is no such run"),
        ([], "command line: the following arguments are required: RUN"),
        (["RUN", "optimizer=radam"], "optimizer: a rerun cannot choose optimizer=radam"),
        (["RUN", "trianing.max_epochs=3"], "trianing"),
    ],
)
def test_mistakes_are_told_in_two_lines(place, run_id, words, error):
    code, _, err = call(place, "rerun", *(run_id if word == "RUN" else word for word in words))
    assert code == 2
    assert error in err
    assert len(err.splitlines()) == 2


def test_a_run_that_started_from_a_model_is_repeated_and_names_its_parent(place, run_id):
    code, _, err = call(
        place, "init.model=first", "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl",
        "training.max_epochs=1", "output_dir=second",
    )  # fmt: skip
    assert code == 0, err
    second = summary(place / "second")
    told = tags(place, second["run_id"])
    assert told["init.run_id"] == run_id
    assert told["init.weights_sha256"] == second["init"]["weights_sha256"]
    code, out, _ = call(place, "rerun", second["run_id"], "output_dir=second_again")
    assert code == 0
    assert ": the same bits" in out
    # By its name in MLflow, the model is also an input of the run.
    words = (
        f"init.model=runs:/{run_id}/model-best",
        "corpus=files",
        "corpus.train=train.jsonl",
        "corpus.dev=dev.jsonl",
    )
    assert call(place, *words, "training.max_epochs=1", "output_dir=third")[0] == 0
    third = summary(place / "third")
    assert third["init"]["weights_sha256"] == second["init"]["weights_sha256"]
    assert third["weights_sha256"] == second["weights_sha256"]
    model_id = tags(place, third["run_id"])["init.model_id"]
    inputs = MlflowClient(f"sqlite:///{place / 'mlflow.db'}").get_run(third["run_id"]).inputs
    assert [one.model_id for one in inputs.model_inputs] == [model_id]
