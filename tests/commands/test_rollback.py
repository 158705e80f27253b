"""`training.max_rollbacks`: a run that diverges goes back with half the learning rate, the same way every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.training.keeper import FOLDER, checkpoints
from tests.commands.test_resume import TINY, history, no_surroundings, result, run, summary  # noqa: F401

# An epoch has 12 updates. The gradient of update 31 is broken unless the rate is below `limit`.
FRAGILE = """
from runner import registry
from runner.training.adam import Adam

class Fragile(Adam):
    def __call__(self, parameters):
        if self.step == self.at and self.learn_rate(self.step) > self.limit:
            parameters.gradient[...] = float("nan")
        return super().__call__(parameters)

@registry.optimizers("fragile")
def fragile(learn_rate: registry.Schedule = 0.01, limit: float = 0.006, at: int = 30):
    made = Fragile(beta1=0.9, beta2=0.999, eps=1e-8, learn_rate=learn_rate, L2=0.0, L2_is_weight_decay=True,
                   grad_clip=1.0, use_averages=True)
    made.limit, made.at = limit, at
    return made
"""
COMMON = (
    "pipeline=ner",
    "code=[../fragile.py]",
    "optimizer.type=fragile",
    "training.max_epochs=3",
    "batch=words",
    "batch.size=40",
)
DROPPED = tuple(
    f"~optimizer.{key}"
    for key in ("beta1", "beta2", "eps", "L2", "L2_is_weight_decay", "grad_clip", "use_averages", "rates")
)


def words(*more: str) -> list[str]:
    return [*COMMON, *DROPPED, "output_dir=out", *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where the file lies, once for all: a process registers a name once."""
    folder: Path = tmp_path_factory.mktemp("rollback")
    (folder / "fragile.py").write_text(FRAGILE)
    return folder


@pytest.fixture
def folder(place: Path, request: pytest.FixtureRequest) -> Path:
    return another(place, request.node.name)


def another(place: Path, name: str) -> Path:
    (place / name).mkdir()
    return place / name


def killed(folder: Path, step: int, *more: str) -> None:
    """A run that ends by SIGKILL once that step is recorded."""
    script = (
        "import os, signal, sys, threading\n"
        "from runner.__main__ import main\n"
        "from runner.commands.recorders import Models\n"
        "record = Models.record\n"
        "def record_and_die(models, step):\n"
        "    record(models, step)\n"
        "    [thread.join() for thread in threading.enumerate() if thread.name == 'checkpoint']\n"
        f"    step.step == {step} and os.kill(os.getpid(), signal.SIGKILL)\n"
        "Models.record = record_and_die\n"
        "main(sys.argv[1:])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *TINY, *words(*more)], cwd=folder, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def test_stops_where_nothing_else_is_said(folder):
    code, _, err = run(folder, *words("tracking=none"))
    assert code == 1
    assert err.splitlines()[0] == "the gradient is not finite at step 31"
    assert summary(folder / "out")["rollbacks"] == 0


def test_goes_back_and_halves_the_rate(folder, whole):
    code, out, err = run(folder, *words("tracking=none", "training.max_rollbacks=1"))
    assert code == 0, err
    lines = out.splitlines()
    (at,) = [i for i, line in enumerate(lines) if "back to step" in line]
    assert lines[at] == "the gradient is not finite at step 31: back to step 24, learning rate × 0.5"
    assert lines[at - 1].split()[:2] == ["2", "24"]
    assert lines[at + 1].split()[0] == "3"
    assert summary(folder / "out")["rollbacks"] == 1
    assert result(folder / "out") == result(whole / "out")
    status, _, rows = history(whole / "mlflow.db")  # which sees to it that no step is there twice
    assert status == ["FINISHED"]
    rates = {step: value for key, step, value in rows if key == "schedule/learn_rate"}
    factors = {step: value for key, step, value in rows if key == "schedule/learn_rate_factor"}
    assert [factors[30], factors[31]] == [1.0, 0.5]
    assert [rates[30], rates[31]] == [0.01, 0.005]
    assert sorted(rates) == list(range(1, len(rates) + 1))


def test_gives_up_after_as_many_as_allowed(folder):
    code, out, err = run(folder, *words("tracking=none", "training.max_rollbacks=2", "optimizer.limit=0"))
    assert code == 1
    assert err.splitlines()[0] == "the gradient is not finite at step 43"
    assert "gone back 2 times" in err.splitlines()[1]
    assert len(err.splitlines()) == 2
    assert out.count("back to step 24") == 2


def test_back_to_the_beginning(folder):
    code, out, err = run(folder, *words("tracking=none", "training.max_rollbacks=1", "optimizer.at=3"))
    assert code == 0, err
    assert "at step 4: back to the beginning, learning rate × 0.5" in out
    low = another(folder.parent, "low")
    assert run(low, *words("tracking=none", "optimizer.at=3", "optimizer.learn_rate=0.005"))[0] == 0
    assert summary(folder / "out")["weights_sha256"] == summary(low / "out")["weights_sha256"]


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    """An undisturbed run with one rollback, tracked."""
    folder = another(place, "whole")
    assert run(folder, *words("training.max_rollbacks=1"))[0] == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("step", [30, 36])
def test_the_same_bits_after_a_kill(step, whole, folder):
    """Before the divergence, and in the part that is done again."""
    again = ("training.max_rollbacks=1", "training.checkpoint_steps=2", *(["tracking=none"] if step == 30 else []))
    killed(folder, step, *again)
    assert checkpoints(folder / "out" / FOLDER)[0][0] > 24
    assert run(folder, *words(*again, "resume=auto"))[0] == 0
    assert result(folder / "out") == result(whole / "out")
    assert step == 30 or history(folder / "mlflow.db") == history(whole / "mlflow.db")


@pytest.mark.slow
def test_where_there_is_nothing_to_go_back_to(folder):
    killed(folder, 30, "tracking=none", "training.max_rollbacks=1", "training.checkpoint_steps=2")
    point = folder / "out" / FOLDER / "evaluation.ckpt"
    point.write_bytes(point.read_bytes()[:-1])
    code, _, err = run(
        folder, *words("tracking=none", "training.max_rollbacks=1", "training.checkpoint_steps=2", "resume=auto")
    )
    assert code == 1
    assert err.splitlines()[0].startswith(
        "the gradient is not finite at step 31, and there is nothing to go back to (the checkpoint is damaged"
    )
