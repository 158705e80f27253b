"""A progress bar in the output of a notebook's cell. IPython is asked only if it runs the process; it is no dependency."""

from __future__ import annotations

import sys
from typing import Any

from runner.notebook.html import framed, plain


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process, and can redraw what it has shown. A terminal with IPython cannot."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class CellBar:
    """One bar in the cell that runs now, below what is printed already; `show` redraws it in its place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str, share: float) -> None:
        """Draw the bar. share: of the work that is done, from 0 to 1."""
        value = f"{min(max(share, 0.0), 1.0):.3f}"
        self._draw(framed([f'<progress value="{value}" style="width:16em"></progress> {plain(text)}']))

    def clear(self) -> None:
        """Leave nothing of the bar to be seen."""
        self._draw("<div></div>")

    def _draw(self, html: str) -> None:
        display: Any = sys.modules["IPython.display"]
        if self._handle is None:
            self._handle = display.display(display.HTML(html), display_id=True)
        else:
            self._handle.update(display.HTML(html))
