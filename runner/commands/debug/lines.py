"""Format debug's report as lines of text."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from runner.commands.debug.findings import label_table
from runner.commands.debug.report import PARTS
from runner.foreign import shown_name

MARKS = {"ok": "✔", "note": "·", "warning": "⚠", "error": "✘"}
PLAIN_MARKS = {"ok": "+", "note": "-", "warning": "!", "error": "x"}
WIDTH = 118


def run_lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of one run's report."""
    mark = _marks()
    corpus = report["corpus"]
    findings = [{**finding, "places": [_short(p) for p in finding["places"]]} for finding in report["findings"]]
    if corpus is not None:
        yield f"Corpus {corpus['name']}, on {'its own' if corpus['gold_tokens'] else 'the tokenizer’s'} tokens"
        yield f"         {'texts':>9}{'sentences':>11}{'words':>12}{'distinct':>10}   words a sentence"
        for name in PARTS:
            if (part := corpus.get(name)) is None:
                continue
            lengths = part["lengths"]
            yield (
                f"  {name:<7}{part['n_docs']:>9,}{part['n_sents']:>11,}{part['n_words']:>12,}{part['n_distinct_words']:>10,}"
                f"   {lengths['min']:,} to {lengths['max']:,}, 95 % up to {lengths['p95']:,}"
            )
        yield from _section(findings, "text", mark)
    for name, about in report["config"]["components"].items():
        yield ""
        in_train, in_dev = (corpus[part].get("annotations", {}).get(name) for part in ("train", "dev"))
        yield f"{name} ({about['type']}, {len(about['labels'])} labels)" if in_train else f"{name} ({about['type']})"
        if in_train:
            rows = [(shown_name(name), a, b) for name, a, b in label_table(in_train["labels"], in_dev["labels"])]
            width = min(max([len(row[0]) for row in rows], default=5), 40)
            columns = max((WIDTH - 2) // (width + 22), 1)
            columns = min(columns, max(-(-len(rows) // 4), 1))
            yield "  " + "    ".join([f"{'':<{width}}{'train':>9}{'dev':>8}"] * columns).rstrip()
            height = -(-len(rows) // columns)
            for i in range(height):
                cells = [f"{label[:40]:<{width}}{a:>9,}{b:>8,}" for label, a, b in rows[i::height]]
                yield "  " + "    ".join(cells)
        yield from _section(findings, name, mark)
    if report["estimate"]:
        yield ""
        yield from _estimate_lines(report)
    yield from _closing(findings, mark)


def _section(findings: list[dict[str, Any]], name: str, mark: dict[str, str]) -> Iterator[str]:
    for finding in findings:
        if finding["section"] == name:
            yield from _wrapped(f"{mark[finding['level']]} {finding['message']}")
            if finding["level"] == "warning":
                yield from _details(finding)


def _details(finding: dict[str, Any]) -> Iterator[str]:
    if finding["places"]:
        yield from _wrapped(", ".join(finding["places"]), indent=4)
    if finding["hint"]:
        yield from _wrapped(finding["hint"], indent=4)


def _short(place: str) -> str:
    """Return a place without its folders: "a.conll:3 = a.conll:1"."""
    return re.sub(r"(?:[^\s/=]*/)+(?=[^\s/=]+:\d)", "", place)


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """Wrap to lines of at most WIDTH characters; the two places of `a = b` stay on one line."""
    glued = text.replace(" = ", "\u00a0=\u00a0")
    first = " " * indent
    rest = "    " if indent == 2 else first
    lines = textwrap.wrap(
        glued, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\u00a0=\u00a0", " = ") for line in lines]


def _estimate_lines(report: dict[str, Any]) -> Iterator[str]:
    about = report["estimate"]
    yield f"This machine, CPU time, estimated from {about['timed_updates']} updates ({report['config']['parameters']:,} weights)"
    yield (
        f"  an epoch    {_time(about['first_epoch_seconds'])} for {about['first_epoch_updates']:,} updates at "
        f"{about['words_per_second']:,.0f} words/s, and {_time(about['evaluation_seconds'])} to score dev"
    )
    yield f"  the run     {_time(about['run_seconds'])} for at most {about['epochs']} epochs"
    if about["slowdown"] > 1.3:
        yield f"  by the clock {about['slowdown']:.1f} times as long while the machine is as busy as now"
    yield f"  memory      {about['peak_memory'] / 2**20:,.0f} MB, the tracking server not counted"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _closing(findings: list[dict[str, Any]], mark: dict[str, str]) -> Iterator[str]:
    """Yield the counts of errors and warnings, then every error with its hint."""
    errors = [finding for finding in findings if finding["level"] == "error"]
    n_warnings = sum(finding["level"] == "warning" for finding in findings)
    yield ""
    yield f"{_number(len(errors), 'error')}, {_number(n_warnings, 'warning')}"
    for finding in errors:
        place = f"{finding['places'][0]}: " if finding["places"] else ""
        yield from _wrapped(f"{mark['error']} {finding['section']}: {place}{finding['message']}")
        if finding["hint"]:
            yield from _wrapped(finding["hint"], indent=4)


def _number(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'}"


def _marks() -> dict[str, str]:
    """Return MARKS, or PLAIN_MARKS if the terminal's encoding lacks MARKS."""
    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_MARKS
    return MARKS


def sweep_lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each job, and each broken job's error below its line."""
    mark = _marks()
    for row in report["jobs"]:
        error = row["error"]
        yield f"{mark['ok' if error is None else 'error']} {row['job']:>3}  {' '.join(row['overrides'])}"
        if error is not None:
            yield from _wrapped(
                f"{error['place']}: {error['message']}" if error["place"] else error["message"], indent=7
            )
            if error["hint"]:
                yield from _wrapped(error["hint"], indent=7)
    broken = sum(row["error"] is not None for row in report["jobs"])
    yield ""
    yield f"{_number(len(report['jobs']), 'job')}, {broken or 'none'} of them broken"
