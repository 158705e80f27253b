"""Running text with marked spans, and words with a tag below each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.notebook.html import MONO, hue, plain, sure

_BOX = (
    "border-radius:.3em;padding:.1em .3em;margin:0 .1em;box-decoration-break:clone;-webkit-box-decoration-break:clone"
)


class Marked(NamedTuple):
    """Characters `start` to `end` of a text, with a label."""

    start: int
    end: int
    label: str
    confidence: float | None = None


def running(text: str, spans: Iterable[Marked], start: int, end: int) -> str:
    """The characters `start` to `end`, with the spans in them, which do not overlap and come in order."""
    parts, position = [], start
    for span in spans:
        if span.end <= start or span.start >= end:
            continue
        low, high = max(span.start, start), min(span.end, end)
        parts += [plain(text[position:low]), _mark(text[low:high], span)]
        position = high
    parts.append(plain(text[position:end]))
    before, after = "… " if start > 0 else "", " …" if end < len(text) else ""
    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.9"
    return f'<div dir="auto" style="{style}">{before}{"".join(parts)}{after}</div>'


def _mark(words: str, span: Marked) -> str:
    tint = f"hsla({hue(span.label)},75%,50%"
    label = f'<b style="font-size:75%;margin-inline-start:.4em">{plain(span.label)}</b>' if span.label else ""
    style = f"color:inherit;background:{tint},.25);border:1px solid {tint},.9);{_BOX}"
    return f'<mark dir="auto" style="{style}"{sure(span.confidence)}>{plain(words)}{label}</mark>'


def tagged(words: Sequence[str], tags: Sequence[str | None]) -> str:
    """Each word above its tag."""
    box = "display:inline-block;text-align:center;margin:0 .5em .3em 0"
    pairs = [
        f'<span style="{box}">{plain(word)}<br><span style="font-size:75%;opacity:.8;{MONO}">{plain(tag or "·")}</span></span>'
        for word, tag in zip(words, tags, strict=True)
    ]
    return f'<div dir="auto" style="line-height:1.2;margin-top:.5em">{" ".join(pairs)}</div>'
