"""A short round of fuzz_readers.py, in a process of its own: it limits memory and rings alarms. A long one is a command away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.stress]


@pytest.mark.skipif(sys.platform != "linux", reason="fuzz_readers.py limits memory by what Linux tells of it")
def test_broken_inputs_are_read_or_refused():
    pytest.importorskip("spacy")
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.fuzz_readers", "--inputs", "60", "--seconds", "2", "--seed", "3"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
