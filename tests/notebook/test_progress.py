"""The bar in a notebook's cell, drawn by a stand-in for IPython: the library is no dependency."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import runner
from runner.notebook.progress import CellBar, in_notebook
from tests.api.test_run import QUICK, data

__all__ = ["data"]


class Shown:
    """What a notebook has drawn: the states of each display, in order."""

    def __init__(self) -> None:
        self.displays: list[list[str]] = []

    def display(self, html: str, *, display_id: bool) -> SimpleNamespace:
        assert display_id
        self.displays.append([html])
        return SimpleNamespace(update=self.displays[-1].append)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A process that a notebook's kernel runs."""
    notebook = Shown()
    display = SimpleNamespace(display=notebook.display, HTML=str)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return notebook


def test_a_bar_is_redrawn_in_its_place_and_escaped(shown):
    bar = CellBar()
    bar.show("Epoch <1>", 0.25)
    bar.show("Epoch 2", 7.0)
    bar.clear()
    ((first, second, last),) = shown.displays
    assert 'value="0.250"' in first
    assert "Epoch &lt;1&gt;" in first
    assert 'value="1.000"' in second
    assert last == "<div></div>"


def test_a_process_without_a_kernel_is_no_notebook(monkeypatch, shown):
    assert in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    assert not in_notebook()  # IPython in a terminal
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


@pytest.mark.slow
def test_a_run_shows_one_bar_above_its_table_and_takes_it_away(shown, data, monkeypatch, capsys):
    monkeypatch.setattr("runner.tracking.console.REFRESH_SECONDS", 0.0)
    runner.train([*QUICK, "output_dir=run"])
    (states,) = shown.displays
    assert "<progress" in states[1]
    assert "Epoch 1/2: training" in states[1]
    assert any("Epoch 2/2" in state for state in states)
    assert states[-1] == "<div></div>"
    assert "Best: epoch" in capsys.readouterr().out
