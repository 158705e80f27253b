"""A short round of fuzz.py, in a process of its own: it limits memory and rings alarms. A long one is a command away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.stress]


@pytest.mark.skipif(sys.platform != "linux", reason="fuzz.py limits memory by what Linux tells of it")
def test_broken_runs_end_well():
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.fuzz", "--runs", "35", "--seed", "7"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
