"""What a run says before its table: data, components, what it chose, where its results go, and what computes.

    corpus      sample: train 320 texts, 4,151 words; dev 80 texts, 1,035 words
    ner         1,019,865 weights; 6 labels: DATE, GPE, LOC, ORG, PERSON, PRODUCT
    chosen      training.max_epochs 15 (1,128 updates); batch 51 words; …

Lines of a fact that is longer than the terminal go on under themselves.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.foreign import shown, shown_name
from runner.secrets import masked
from runner.streams import Line, Piece
from runner.tracking.base import LearningPart, RunInfo
from runner.tracking.provenance import n_cores, processor

WIDTH = 80  # of what is written into a file
_NAMES = 12  # characters of the column of names
_OF_COMPONENT = re.compile(r"pipeline\.components\.(?P<name>[^.]+)\.(?P<key>.+)")
_FEW = 8  # labels: all are told, in more than one line if need be


def head_lines(run: RunInfo, width: int | None = None, left_out: Sequence[str] = ()) -> list[Line]:
    """The lines, the last one empty; of a job of a sweep only what it chose. width: of the terminal, None: it is a file.

    left_out: columns for which the terminal is too narrow.
    """
    width = min(width or WIDTH, 120)
    facts = [("chosen", chosen_text(run.chosen))] if run.parent is not None else list(_facts(run, width))
    facts.append(("no room for", ", ".join(left_out)))
    names = min(max([_NAMES, *(len(name) + 2 for name, text in facts if text)]), 2 * _NAMES)
    lines: list[Line] = []
    for name, text in facts:
        if not text:
            continue
        for i, line in enumerate(_wrapped(text, width - names)):
            column = f"{shown_name(name, names - 1) if i == 0 else '':<{names}}"
            lines.append([Piece(column, "cyan"), Piece(shown(line))])
    return [*lines, ""] if lines else []


def _facts(run: RunInfo, width: int) -> Iterator[tuple[str, str]]:
    if run.datasets:
        parts = [f"{one.split} {one.n_docs:,} texts, {one.n_words:,} words" for one in _by_split(run)]
        yield "corpus", f"{run.datasets[0].name}: {'; '.join(parts)}"
    for part in run.parts:
        yield part.name, _of_part(part, width)
    yield "chosen", chosen_text(run.chosen)
    yield "output", _short(run.output_dir)
    for name, place in run.places.items():
        yield name, masked(place).replace(f"sqlite:///{Path.cwd().as_posix()}/", "sqlite:///")
    compute = run.config.get("compute")
    ops = compute if isinstance(compute, Mapping) else {}
    n = n_cores()
    threads = f", {ops['threads']} threads" if ops.get("threads", 1) != 1 else ""
    yield (
        "machine",
        f"{processor()}, {n} core{'s' * (n != 1)}; {ops.get('device', 'cpu')}, {ops.get('ops', 'numpy')}{threads}",
    )


class _Split:
    """All files of one split."""

    def __init__(self, split: str) -> None:
        self.split, self.n_docs, self.n_words = split, 0, 0


def _by_split(run: RunInfo) -> list[_Split]:
    splits: dict[str, _Split] = {}
    for one in run.datasets:
        split = splits.setdefault(one.split, _Split(one.split))
        split.n_docs, split.n_words = split.n_docs + one.n_docs, split.n_words + one.n_words
    return list(splits.values())


def _of_part(part: LearningPart, width: int) -> str:
    labels = [shown_name(label) for label in part.labels]
    text = f"{part.n_weights:,} weights"
    if labels:
        text += f"; {len(labels)} label{'s' * (len(labels) > 1)}: "
        listed = ", ".join(labels)
        room = width - _NAMES - len(text)
        text += listed if len(labels) <= _FEW else textwrap.shorten(listed, max(room, 20), placeholder=" …")
    return text if part.learns else f"{text}; as it is"


def chosen_text(chosen: Mapping[str, str]) -> str:
    """The settings that the run chose by its data; empty if it chose none.

    >>> chosen_text({"corpus.train": "240 texts of 12 words", "batch": "54 words", "dropout": "0.3"})
    'batch 54 words; dropout 0.3'
    """
    settings: dict[str, str] = {}  # what the components have alike is told once
    alike: dict[tuple[str, str], list[str]] = {}
    for key, text in chosen.items():
        match = _OF_COMPONENT.fullmatch(key)
        if match is not None:
            names = alike.setdefault((match["key"], text), [])
            names.append(match["name"])
            key = f"{match['key']} of {', '.join(names)}"
            settings.pop(f"{match['key']} of {', '.join(names[:-1])}", None)
        settings[key] = text
    settings.pop("corpus.train", None)
    return "; ".join(f"{key} {text}" for key, text in settings.items())


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines, broken after a semicolon where that fits, so that a setting stays whole."""
    lines: list[str] = []
    parts = text.split("; ")
    for part in [*(f"{part};" for part in parts[:-1]), parts[-1]]:
        if lines and len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] = f"{lines[-1]} {part}"
        else:
            lines += textwrap.wrap(part, max(width, 20), break_on_hyphens=False)
    return lines


def _short(path: Path) -> str:
    """The path relative to the current folder if it lies in it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
