"""Checkpoints that cannot be written: said once, tried again, and no end of the training."""

from __future__ import annotations

import numpy as np
import pytest

from runner.errors import RunFailed
from runner.training import checkpoint
from runner.training.keeper import Keeper, checkpoints


def snapshot():
    return {"n": 1}, {"weights": np.ones(3, dtype="float32")}


@pytest.fixture
def broken(monkeypatch):
    """Whether writing fails, to be switched."""
    state = {"is": False}
    save = checkpoint.save

    def fails(path, about, arrays):
        if state["is"]:
            raise RunFailed("cannot write: No space left on device", place=str(path))
        save(path, about, arrays)

    monkeypatch.setattr(checkpoint, "save", fails)
    return state


def test_a_full_disk_is_told_once_and_so_is_its_end(broken, tmp_path, capsys):
    keeper = Keeper(tmp_path, 0, 1)
    for step, is_full in enumerate([False, True, True, False], start=1):
        broken["is"] = is_full
        keeper.offer(step, snapshot)
        keeper.point()  # waits for it
    keeper.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2][:29] for line in lines[:1]] == ["no checkpoint can be written "]
    assert lines[1] == "  It is tried again when the next is due. Of this run the last one is of step 1."
    assert lines[2:] == ["checkpoints are written again"]
    assert [step for step, _ in checkpoints(keeper.folder)] == [4, 1]


def test_one_that_is_forced_is_an_error(broken, tmp_path, capsys):
    keeper = Keeper(tmp_path, 0, None)
    broken["is"] = True
    with pytest.raises(RunFailed, match="no checkpoint can be written"):
        keeper.offer(0, snapshot, force=True)
    keeper.close()
    assert capsys.readouterr().err == ""


def test_no_memory_for_a_copy(tmp_path, capsys):
    def short():
        raise MemoryError

    keeper = Keeper(tmp_path, 0, 1)
    keeper.offer(1, short)
    keeper.close()
    assert "no checkpoint can be written (not enough memory)" in capsys.readouterr().err
