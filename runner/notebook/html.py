"""Pieces of HTML that a notebook shows: escaped text, translucent colours, one frame around all.

Every style stands in its element, as notebooks remove style sheets and scripts from what they do not trust. No colour is
opaque and none is set for text: the output takes the notebook's own, whether it is light or dark.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from runner.foreign import as_html

_START = 7823  # of the checksum: with it the labels of the usual schemes (PER, ORG, LOC, …) get hues far apart
MONO = "font-family:ui-monospace,'DejaVu Sans Mono',monospace"
LINE = "rgba(128,128,128,.55)"


def plain(text: str) -> str:
    """The text, escaped. Line breaks and tabs stay; other characters that steer the output are written out.

    >>> plain("a<b\\n\\x1b")
    'a&lt;b\\n\\\\x1b'
    """
    return "\n".join("\t".join(as_html(part) for part in line.split("\t")) for line in text.split("\n"))


def hue(label: str) -> int:
    """The hue of a label in degrees, the same in every output. The label itself is always written, too."""
    return zlib.crc32(label.encode("utf8", "surrogatepass"), _START) % 360


def sure(confidence: float | None) -> str:
    """A tool tip with the confidence; empty if it is unknown.

    >>> sure(0.931)
    ' title="93.1 % sure"'
    """
    return "" if confidence is None else f' title="{100 * confidence:.1f} % sure"'


def note(text: str) -> str:
    """A small remark below the output."""
    return f'<div style="opacity:.75;font-size:85%;margin-top:.4em">{plain(text)}</div>'


def framed(parts: Iterable[str]) -> str:
    """The whole output."""
    return f'<div style="line-height:1.5;max-width:100%">{"".join(parts)}</div>'
