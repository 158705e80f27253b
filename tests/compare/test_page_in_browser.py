"""The comparison's page as a browser shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.compare.comparison import compare_runs
from runner.compare.page import page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --virtual-time-budget=2000"
).split()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)")
def test_it_is_shown(past_run, tmp_path: Path) -> None:
    a = past_run("a", [{"f": [1, 2, 2]}] * 3, texts=["Ada", "Bo <b>", "Cy"])
    b = past_run("b", [{"f": [0, 2, 2]}] * 3, texts=["Ada", "Bo <b>", "Cy"])
    file = tmp_path / "compare.html"
    file.write_text(page(compare_runs([a, b], rounds=100)), encoding="utf8")
    picture = tmp_path / "page.png"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,1600"]
    seen = [f"--screenshot={picture}", "--dump-dom", file.as_uri()]
    done = subprocess.run(
        [*command, *seen], capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    assert "<h1" in done.stdout
    assert picture.stat().st_size > 10_000  # an empty page takes less
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line or "net::ERR" in line]
