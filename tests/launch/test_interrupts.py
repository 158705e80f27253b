"""A sweep in joblib's workers is interrupted once, and issued again."""

from __future__ import annotations

import contextlib
import io
import signal

import pytest

from runner.__main__ import main
from tests.commands.test_resume import TINY, until
from tests.stress.sweep_interrupts import SWEEP, TO_GROUP, TO_PARENT, Sweep, jobs_of, kept_steps, resumed_steps, tracked

pytestmark = pytest.mark.slow

EPOCHS = 12


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The jobs and MLflow of a sweep that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    words = [*TINY, *SWEEP, f"training.max_epochs={EPOCHS}", "hydra/launcher=basic"]
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert main(words) == 0
    return jobs_of(folder), tracked(folder)


@pytest.mark.parametrize(("number", "to", "code"), [(signal.SIGINT, TO_GROUP, 130), (signal.SIGTERM, TO_PARENT, 143)])
def test_its_jobs_go_on_at_their_step(whole, tmp_path, number, to, code):
    first = Sweep(tmp_path, epochs=EPOCHS)
    assert first.until(r"job \d of 6: score")  # one has finished
    until(lambda: list(tmp_path.glob("outputs/multirun/*/*/2/checkpoint/step-*.ckpt")))  # its successor runs
    first.send(number, to)
    assert first.end() == code, first.output()
    told, kept = first.output(), kept_steps(first.output())
    assert "jobs that are running keep their state, no other starts" in told
    assert kept, told
    assert "Traceback" not in told
    statuses = [status for _, status in tracked(tmp_path)[0]]
    assert "RUNNING" not in statuses
    again = Sweep(tmp_path, epochs=EPOCHS)
    assert again.end() == 0, again.output()
    assert "finished before" in again.output()
    assert {job: resumed_steps(tmp_path)[job] for job, step in kept.items() if step} == {
        j: s for j, s in kept.items() if s
    }
    assert jobs_of(tmp_path) == whole[0]
    assert tracked(tmp_path) == whole[1]
