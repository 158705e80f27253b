"""The workshop: filled once for a file of tests, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import registry
from tests.pages import workshop


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workshop")
    workshop.make(folder)
    return folder


@pytest.fixture
def work(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the workshop, as the current folder. Registry entries that the pages add are taken back."""
    shutil.copytree(filled, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = {kind: set(table.names()) for kind, table in registry.KINDS.items()}
    yield tmp_path / "work"
    for kind, table in registry.KINDS.items():
        for name in set(table.names()) - before[kind]:
            del table._factories[name]
