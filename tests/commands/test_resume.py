"""`resume=`: a run that was killed at any moment ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.commands import train
from runner.training.keeper import FOLDER, checkpoints, is_locked, lock
from tests.model.encoder.small import write_encoder

pytestmark = [pytest.mark.slow, pytest.mark.mlflow]

TINY = (
    "optimizer.learn_rate=0.01", "corpus.limit=40", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=300", "dropout=constant", "training.max_epochs=3", "training.checkpoint_steps=5",
)  # fmt: skip
TEACH = ("init.model=parent", "teacher=itself", "seed=3")
KINDS = {
    "ner": ["pipeline=ner", "augmenters=noise"],
    "tagger": ["pipeline=tagger", "training.eval_every=7"],
    "parser": ["pipeline=parser"],
    "textcat": ["pipeline=textcat"],
    "full": ["pipeline=full", "training.best_epoch=each"],
    "numba": ["pipeline=full", "compute=numba"],
    "taught": [*TEACH, "teacher.weight={type: linear, start: 0.9, stop: 0.1, steps: auto}"],
    "frozen": [*TEACH, "training.components=[tagger]"],
    "pretraining": ["pipeline=pretrain"],
    "pretrained": ["pipeline=tagger", "init.tok2vec=parent", "seed=3"],
    "unfreezing": [
        "pipeline=ner",
        "optimizer.rates={encoder: {type: delayed, value: 0.1, share: 0.5, total_steps: auto}}",
        "dropout.value=0.1",
        "pipeline.components.ner.tok2vec={type: encoder, model: encoder}",
    ],
    "encoder": [
        "pipeline=ner",
        "optimizer.rates={tok2vec/encoder: 0.1}",
        "dropout.value=0.1",
        "pipeline.components.ner.tok2vec={type: encoder, model: encoder, train: [embeddings, 1]}",
    ],
}
PARENTS = {  # kind → of the model that it starts from
    "taught": ["pipeline=[ner,parser]"],
    "frozen": ["pipeline=full"],
    "pretrained": ["pipeline=pretrain"],
}
TIMES = "speed/"  # what the keys of measured times begin with


def command(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "runner", *TINY, *overrides]


def prepare(folder: Path, kind: str) -> None:
    """Make what runs of this kind start from, in a folder where they look for it: a trained model, an encoder's files."""
    if kind in ("encoder", "unfreezing"):
        write_encoder(folder / "encoder", "bert")
    if kind in PARENTS:
        words = command(*PARENTS[kind], "tracking=none", "output_dir=parent")
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def run(cwd: Path, *overrides: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*TINY, *overrides])
    return code, out.getvalue(), err.getvalue()


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text("utf8"))


def result(folder: Path) -> Any:
    """What an undisturbed run and an interrupted one must have in common."""
    found = summary(folder)
    weights = [(folder / name / "weights.msgpack").read_bytes() for name in ("model-best", "model-last")]
    return found["status"], found["best"], found["train_words"], found["weights_sha256"], weights


def history(store: Path) -> Any:
    """Status and every metric of the one run in the store, but for those that measure time."""
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        runs = connection.execute("select run_uuid, status from runs").fetchall()
        rows = connection.execute("select key, step, value from metrics order by key, step").fetchall()
    keys = [(key, step) for key, step, _ in rows]
    twice = [key for key, following in itertools.pairwise(keys) if key == following]
    assert not twice, f"{len(twice)} are there twice, {twice[:5]} first"
    return [status for _, status in runs], keys, [row for row in rows if not row[0].startswith(TIMES)]


@pytest.fixture(autouse=True, scope="module")
def no_surroundings() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments(kind, tmp_path):
    if kind == "numba":
        pytest.importorskip("numba", reason="the extra numba is not installed")
    prepare(tmp_path, kind)
    began = time.monotonic()
    subprocess.run(
        command(*KINDS[kind], "tracking=none", "output_dir=whole"), cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - began  # on this machine, of which the last part is training
    moments = random.Random(kind)
    n_killed = 0
    (tmp_path / "killed.log").touch()
    with (tmp_path / "killed.log").open("w") as log:
        for _ in range(6):
            started = time.monotonic()
            process = subprocess.Popen(
                command(*KINDS[kind], "tracking=none", "output_dir=killed", "resume=auto"),
                cwd=tmp_path, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds * (0.4 + 0.6 * moments.random()))
            if process.poll() is not None:  # it was quicker, and would only say so from now on
                shutil.rmtree(tmp_path / "killed", ignore_errors=True)
                seconds = min(seconds, 0.9 * (time.monotonic() - started))
                continue
            n_killed += 1
            process.kill()
            process.wait()
    assert n_killed, "it ended each time before it was killed, which shows nothing"
    code, _, err = run(tmp_path, *KINDS[kind], "tracking=none", "output_dir=killed", "resume=auto")
    assert code == 0, err
    assert result(tmp_path / "killed") == result(tmp_path / "whole")
    assert not (tmp_path / "killed" / FOLDER).exists()


def test_a_run_with_a_teacher_is_the_same_alone_and_as_a_job(tmp_path):
    """Two jobs of one multirun, one after the other in one process, and each of them alone."""
    prepare(tmp_path, "taught")
    words = [*KINDS["taught"], "tracking=none", "training.max_epochs=2"]
    code, _, err = run(tmp_path, "-m", *words, "seed=3,4", "output_dir=jobs", "hydra.sweep.dir=jobs")
    assert code == 0, err
    jobs = {
        summary(path.parent)["weights_sha256"]
        for path in tmp_path.glob("jobs/**/summary.json")
        if (path.parent / "model-last").exists()
    }
    alone = set()
    for seed in (3, 4):
        code, _, err = run(tmp_path, *words, f"seed={seed}", f"output_dir=alone{seed}")
        assert code == 0, err
        alone.add(summary(tmp_path / f"alone{seed}")["weights_sha256"])
    assert jobs == alone
    assert len(alone) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint_and_one_run_in_mlflow(number, code, tmp_path):
    kind = ["pipeline=ner", "training.max_epochs=40", "training.checkpoint_steps=null"]
    whole, killed = tmp_path / "a", tmp_path / "b"
    whole.mkdir()
    killed.mkdir()
    assert run(whole, *kind, "output_dir=out")[0] == 0
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command(*kind, "output_dir=out"), cwd=killed, stdout=log, stderr=log)
    until(lambda: (killed / "out" / "journal.jsonl").is_file() and n_lines(killed / "out" / "journal.jsonl") > 50)
    process.send_signal(number)
    began = time.monotonic()
    assert process.wait(20) == code, (tmp_path / "log").read_text()
    assert time.monotonic() - began < 5.0
    assert summary(killed / "out")["status"] == "KILLED"
    (step, _), *_ = checkpoints(killed / "out" / FOLDER)
    assert step > 0
    assert f"kept at step {step:,}: the same command with resume=auto goes on" in (tmp_path / "log").read_text()
    ended, out, err = run(killed, *kind, "output_dir=out", "resume=auto")
    assert ended == 0, err
    assert f"goes on after step {step:,} in {killed / 'out'}" in out
    assert result(killed / "out") == result(whole / "out")
    assert history(killed / "mlflow.db") == history(whole / "mlflow.db")
    assert history(killed / "mlflow.db")[0] == ["FINISHED"]


def until(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> Path:
    """A folder in which a run of 20 steps was killed after step 10."""
    folder = tmp_path_factory.mktemp("interrupted")
    script = (
        "import os, signal, sys, threading\n"
        "from runner.__main__ import main\n"
        "from runner.commands.recorders import Models\n"
        "record = Models.record\n"
        "def record_and_die(models, step):\n"
        "    record(models, step)\n"
        "    [thread.join() for thread in threading.enumerate() if thread.name == 'checkpoint']\n"
        "    step.step == 12 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "Models.record = record_and_die\n"
        "main(sys.argv[1:])\n"
    )
    words = [*TINY, "pipeline=ner", "tracking=none", "output_dir=out"]
    ended = subprocess.run([sys.executable, "-c", script, *words], cwd=folder, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert [step for step, _ in checkpoints(folder / "out" / FOLDER)] == [10, 5]
    return folder


def test_another_kernel_is_warned_of_and_noted(interrupted, tmp_path, monkeypatch):
    """The work is not lost, and nobody takes its bits for those of an undisturbed run."""
    shutil.copytree(interrupted / "out", tmp_path / "out")
    first = train.kernel("numpy")
    monkeypatch.setattr(train, "kernel", lambda ops: "OpenBLAS 9.9 Elsewhere")
    code, _, err = run(tmp_path, "pipeline=ner", "tracking=none", "output_dir=out", "resume=auto")
    assert code == 0
    assert err.splitlines()[0] == (
        f"resume: the run was begun on another kernel ({first}) and goes on with OpenBLAS 9.9 Elsewhere"
    )
    assert summary(tmp_path / "out")["kernel"] == f"{first} → OpenBLAS 9.9 Elsewhere"


class TestRefuses:
    @pytest.fixture
    def folder(self, interrupted, tmp_path) -> Path:
        shutil.copytree(interrupted / "out", tmp_path / "out")
        return tmp_path

    def test_a_damaged_checkpoint_is_passed_over(self, folder):
        (_, path), _ = checkpoints(folder / "out" / FOLDER)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        code, out, err = run(folder, "pipeline=ner", "tracking=none", "output_dir=out", "resume=auto")
        assert code == 0
        assert "goes on after step 5 in" in out
        assert "the checkpoint is damaged (its checksum is wrong)" in err

    def test_none_left_that_is_whole(self, folder):
        for _, path in checkpoints(folder / "out" / FOLDER):
            path.write_bytes(path.read_bytes()[:-1])
        code, _, err = run(folder, "pipeline=ner", "tracking=none", "output_dir=next", "resume=out")
        assert code == 2
        assert "no checkpoint of the interrupted run is whole" in err
        assert not (folder / "next").exists()

    def test_other_settings_are_named(self, folder):
        code, _, err = run(folder, "pipeline=ner", "tracking=none", "seed=3", "output_dir=next", "resume=out")
        assert code == 2
        assert err.splitlines()[0] == "resume: the run was started with other settings: seed (0 → 3)"

    def test_auto_does_not_take_another_commands_run(self, folder):
        code, out, _ = run(folder, "pipeline=ner", "tracking=none", "seed=3", "output_dir=out", "resume=auto")
        assert code == 0
        assert "goes on" not in out

    def test_a_run_that_is_alive(self, folder):
        held = lock(folder / "out" / FOLDER)
        assert is_locked(folder / "out" / FOLDER)
        code, _, err = run(folder, "pipeline=ner", "tracking=none", "output_dir=next", "resume=out")
        held.release()
        assert code == 2
        assert "the run is still being trained" in err

    def test_a_run_that_nobody_knows(self, folder):
        code, _, err = run(folder, "pipeline=ner", "tracking=none", "resume=0123abcd")
        assert code == 2
        assert "there is no interrupted run '0123abcd' here" in err

    def test_its_folder_goes_on(self, folder):
        code, out, err = run(folder, "pipeline=ner", "tracking=none", "resume=out")
        assert code == 0, err
        assert "goes on after step 10 in" in out
        assert os.listdir(folder) == ["out"]  # the folder that Hydra made for a new run is gone
        assert summary(folder / "out")["status"] == "FINISHED"
