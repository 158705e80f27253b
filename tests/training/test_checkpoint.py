"""Checkpoint files: what was saved comes back to the bit; what is damaged, or made up, is told."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import pytest

from runner.errors import RunnerError
from runner.training import checkpoint
from tests.stress.damage import damage_checkpoint, flip

ARRAYS = {
    "weights": np.linspace(-1, 1, 1000, dtype="float32"),
    "history": np.arange(20, dtype="float64").reshape(4, 5),
    "last": np.arange(7),
    "none": np.zeros((0, 3), dtype="float32"),
}
ABOUT = {
    "fingerprint": {"seed": 0}, "data_digest": "x", "seconds": 1.5, "result": {}, "training": {"sgd": {"step": 3}},
}  # fmt: skip


def test_what_was_saved_comes_back(tmp_path):
    checkpoint.save(tmp_path / "c", ABOUT, ARRAYS)
    about, arrays = checkpoint.load(tmp_path / "c")
    assert about == ABOUT
    assert {name: (a.dtype, a.tobytes()) for name, a in arrays.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in ARRAYS.items()
    }


def test_every_cut_and_every_flipped_bit_is_told(tmp_path):
    path = tmp_path / "c"
    checkpoint.save(path, ABOUT, ARRAYS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoint.Damaged):
            checkpoint.load(path)
    path.write_bytes(whole)
    rng = random.Random(0)
    for _ in range(200):
        with flip(path, rng), pytest.raises(checkpoint.Damaged):
            checkpoint.load(path)


def test_the_checkpoint_before_a_damaged_one_is_taken(tmp_path):
    folder = tmp_path / "checkpoint"
    for step in (3, 6):
        about = {**ABOUT, "training": {"sgd": {"step": step}}}
        checkpoint.save(folder / f"step-{step:09}.ckpt", about, ARRAYS)
    assert damage_checkpoint(tmp_path, 200, 30, random.Random(0)) == 0


def sealed(header):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    content = checkpoint.MAGIC + len(text).to_bytes(8, "little") + text + bytes(100)
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    "entry",
    [
        {"shape": [10**12], "dtype": "f4"},
        {"shape": [-1], "dtype": "f4"},
        {"shape": [2**62, 0], "dtype": "f4"},
        {"shape": [2**62] * 1_000_000, "dtype": "f4"},
        {"shape": [1], "dtype": "O"},
        {"shape": [1], "dtype": "f4", "offset": -8},
        {"shape": [1e400], "dtype": "f4"},
        {"shape": None, "dtype": "f4"},
    ],
)
def test_arrays_that_cannot_be_are_refused_before_they_are_made(tmp_path, entry):
    header = {"format": 1, "about": {}, "arrays": [{"name": "a", "offset": 0, **entry}]}
    (tmp_path / "c").write_bytes(sealed(header))
    with pytest.raises(checkpoint.Damaged):
        checkpoint.load(tmp_path / "c")


@pytest.mark.parametrize("header", [b"[" * 100_000, b"{}", b"3", b"\xff", b'{"format": 1, "arrays": [], "about": 3}'])
def test_headers_of_another_kind_are_refused(tmp_path, header):
    (tmp_path / "c").write_bytes(sealed(header))
    with pytest.raises(checkpoint.Damaged):
        checkpoint.load(tmp_path / "c")
    with pytest.raises(RunnerError, match="cannot read"):
        checkpoint.load(tmp_path)
