"""Tags that say where a run comes from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.tracking.provenance import git_tags, provenance_tags


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commit_and_dirty_flag(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "trunk")
    assert git_tags(tmp_path) == {}  # no commit yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    tags = git_tags(tmp_path)
    assert len(tags["git_commit"]) == 40
    assert (tags["git_branch"], tags["git_dirty"]) == ("trunk", "false")
    (tmp_path / "a").write_text("2")
    assert git_tags(tmp_path)["git_dirty"] == "true"


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tags = provenance_tags(tmp_path)
    assert "git_commit" not in tags
    assert {"host", "user", "python", "command_line", "cwd"} <= set(tags)
    assert all(isinstance(value, str) and value for value in tags.values())
