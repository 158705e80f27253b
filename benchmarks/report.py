"""Records of runs → ratios, times to a target, and tables.

Medians over turns. Seconds to a target count training alone, up to the first evaluation that reached it; nothing between
two evaluations is claimed. The target is the median over spaCy's runs of their best score, and spaCy's seconds are the
median of those it took to its own best.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.jobs import JOBS
from benchmarks.measure import describe
from runner.errors import RunnerError

Record = Mapping[str, Any]
Curve = Sequence[Mapping[str, Any]]


@dataclass
class Table:
    """Rows of text under headings; the first `n_text` columns stand left, the others right."""

    title: str
    headings: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_text: int = 2

    def plain(self) -> str:
        """Aligned, for a console."""
        rows: list[Sequence[str]] = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.headings))]
        lines = ["  ".join(self._cell(row[i], i, widths[i]) for i in range(len(row))).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, "", *lines, *(f"  {note}" for note in self.notes)]) + "\n"

    def markdown(self) -> str:
        """The same for a README."""
        rule = ["---" if i < self.n_text else "---:" for i in range(len(self.headings))]
        lines = ["| " + " | ".join(row) + " |" for row in (self.headings, rule, *self.rows)]
        notes = ["", *(f"{note}  " for note in self.notes)] if self.notes else []
        return "\n".join([self.title + ":", "", *lines, *notes]) + "\n"

    def _cell(self, text: str, column: int, width: int) -> str:
        return text.ljust(width) if column < self.n_text else text.rjust(width)


class Key(NamedTuple):
    """What two sides must share to be compared."""

    job: str
    batch: str
    limit: int | None
    threads: int | None
    width: int
    depth: int
    evals: int  # more of them find a higher best, and find it sooner


def load(folder: Path) -> list[dict[str, Any]]:
    """The records kept in a folder. Raises RunnerError where there are none."""
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    records = [json.loads(path.read_text(encoding="utf8")) for path in paths]
    if not records:
        raise RunnerError("there are no results", place=f"--save {folder}", hint="python -m benchmarks speed measures.")
    return records


def seconds_to(curve: Curve, target: float, clock: str = "cpu_seconds") -> float:
    """Training seconds up to the first evaluation with at least this score; infinite where none has it.

    >>> seconds_to([{"score": 0.5, "cpu_seconds": 3.0}, {"score": 0.8, "cpu_seconds": 6.0}], 0.7)
    6.0
    """
    return next((float(point[clock]) for point in curve if point["score"] >= target), math.inf)


def interpolated_seconds_to(curve: Curve, target: float, clock: str = "cpu_seconds") -> float:
    """The same with a straight line between the evaluation before and the first that reached the target.

    An estimate of what more frequent evaluations would have shown. Before the first evaluation there is nothing to draw
    a line from: its own seconds count.

    >>> interpolated_seconds_to([{"score": 0.5, "cpu_seconds": 3.0}, {"score": 0.8, "cpu_seconds": 6.0}], 0.7)
    5.0
    """
    before = None
    for point in curve:
        if point["score"] >= target:
            if before is None:
                return float(point[clock])
            share = (target - before["score"]) / (point["score"] - before["score"])
            return float(round(before[clock] + share * (point[clock] - before[clock]), 9))
        before = point
    return math.inf


def best_score(record: Record) -> float:
    return max(float(point["score"]) for point in record["curve"])


def seconds_to_best(record: Record, clock: str = "cpu_seconds") -> float:
    """What a run took to its own best score."""
    return seconds_to(record["curve"], best_score(record), clock)


def rate(record: Record, part: str, clock: str = "cpu") -> float:
    """Words a second. part: "train" or "predict"; clock: "cpu" or "wall"."""
    return float(record[f"{part}_words"]) / max(float(record[f"{part}_{clock}_seconds"]), 1e-9)


def median(values: Iterable[float]) -> float | None:
    """None of nothing; infinite values sort last.

    >>> median([1.0, math.inf, 2.0]), median([1.0, math.inf])
    (2.0, inf)
    """
    found = list(values)
    return statistics.median(found) if found else None


def ratio(a: float | None, b: float | None) -> float | None:
    """a / b where both are known and b is neither 0 nor infinite."""
    if a is None or b is None or not b or math.isinf(b):
        return None
    return a / b


def grouped(records: Sequence[Record], kind: str) -> dict[tuple[Key, str], tuple[list[Record], list[Record]]]:
    """(what is compared, our settings and length) → (our runs, spaCy's runs), in the order of the jobs.

    Where spaCy has runs of several lengths, those as long as ours count in a speed comparison, else the longest.
    """
    ours: dict[tuple[Key, str], list[Record]] = defaultdict(list)
    theirs: dict[Key, dict[tuple[int, float], list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        spec = record["spec"]
        if spec["kind"] != kind:
            continue
        key = Key(*(spec[name] for name in Key._fields))
        if spec["side"] == "ours":
            ours[key, f"{' '.join(spec['settings'])} {spec['epochs']} {spec['words']}"].append(record)
        else:
            theirs[key][spec["epochs"], spec["words"] or math.inf].append(record)

    def beside(key: Key, epochs: int | None) -> list[Record]:
        lengths = theirs.get(key)
        if not lengths:
            return []
        return lengths[max(lengths, key=lambda length: (kind == "speed" and length[0] == epochs, *length))]

    found = {pair: (runs, beside(pair[0], runs[0]["spec"]["epochs"])) for pair, runs in ours.items()}
    found |= {(key, ""): ([], beside(key, None)) for key in theirs if key not in {key for key, _ in ours}}
    names = list(JOBS)

    def order(pair: tuple[Key, str]) -> Any:
        return names.index(pair[0].job), pair[0].batch != "words", str(pair)

    return {pair: found[pair] for pair in sorted(found, key=order)}


def speed_table(records: Sequence[Record]) -> Table | None:
    """Words per second, cold start and memory."""
    groups = grouped(records, "speed")
    if not groups:
        return None
    table = Table(
        f"Speed, words per CPU second, {heading(records, 'speed')}",
        ["job", "batch", "train ours", "spaCy", "ratio", "wall ratio", "predict ours", "spaCy", "ratio",
         "cold start s", "spaCy", "peak MB", "spaCy", "ratio"],
    )  # fmt: skip
    for (key, _), (ours, theirs) in groups.items():
        row = [key.job, key.batch]
        for part in ("train", "predict"):
            a, b = (median(rate(record, part) for record in runs) for runs in (ours, theirs))
            row += [number(a), number(b), times(ratio(a, b))]
            if part == "train":
                row.append(times(ratio(*(median(rate(r, part, "wall") for r in runs) for runs in (ours, theirs)))))
        for name in ("cold_start_seconds", "peak_mb"):
            a, b = (median(float(record[name]) for record in runs) for runs in (ours, theirs))
            row += [number(a, 1 if name != "peak_mb" else 0), number(b, 1 if name != "peak_mb" else 0)]
            row += [times(ratio(a, b))] if name == "peak_mb" else []
        table.rows.append(row)
    table.notes += notes((key, ours, theirs) for (key, _), (ours, theirs) in groups.items())
    return table


def accuracy_table(records: Sequence[Record]) -> Table | None:
    """Best scores, and seconds to spaCy's best."""
    groups = grouped(records, "accuracy")
    if not groups:
        return None
    table = Table(
        f"Training CPU seconds to spaCy's best dev score, {heading(records, 'accuracy')}",
        ["job", "batch", "best ours", "spaCy", "s to spaCy's best", "interpolated", "spaCy s", "ratio",
         "wall ratio", "train ours", "spaCy", "ratio"],
    )  # fmt: skip
    for (key, _), (ours, theirs) in groups.items():
        target = median(map(best_score, theirs))
        cells = [number(median(map(best_score, ours)), 4), number(target, 4)]
        taken, shares = None, []
        for clock in ("cpu_seconds", "wall_seconds"):
            a = median(seconds_to(r["curve"], target, clock) for r in ours) if target is not None else None
            b = median(seconds_to_best(record, clock) for record in theirs)
            shares.append(times(ratio(a, b)))
            taken = taken or (a, b)
        assert taken is not None
        between = median(interpolated_seconds_to(r["curve"], target) for r in ours) if target is not None else None
        cells += [number(taken[0], 1), number(between, 1), number(taken[1], 1), *shares]
        a, b = (median(rate(record, "train") for record in runs) for runs in (ours, theirs))
        table.rows.append([key.job, key.batch, *cells, number(a), number(b), times(ratio(a, b))])
    table.notes += notes((key, ours, theirs) for (key, _), (ours, theirs) in groups.items())
    return table


def heading(records: Sequence[Record], kind: str) -> str:
    """How many runs, and on which machine; all of them, where they are several."""
    chosen = [record for record in records if record["spec"]["kind"] == kind]
    machines = sorted({describe(record["machine"]) for record in chosen})
    sides: dict[tuple[str, ...], int] = defaultdict(int)
    for record in chosen:
        spec = record["spec"]
        sides[spec["side"], spec["job"], spec["batch"], " ".join(spec["settings"])] += 1
    low, high = min(sides.values()), max(sides.values())
    runs = f"{low}" if low == high else f"{low} to {high}"
    spacy = sorted({record["versions"]["spacy"] for record in chosen if "spacy" in record["versions"]})
    beside = f", spaCy {', '.join(spacy)}" if spacy else ""
    return f"median of {runs} run{'s' if high > 1 else ''}{beside}, {' and '.join(machines)}"


def notes(rows: Iterable[tuple[Key, Sequence[Record], Sequence[Record]]]) -> list[str]:
    """What the rows do not say: settings, lengths, bounds, threads; each once, with the jobs it holds for if not for all."""
    jobs: dict[str, list[str]] = defaultdict(list)
    n_rows = 0
    for key, ours, theirs in rows:
        n_rows += 1
        found = []
        lengths = []
        for name, runs in (("ours", ours), ("spaCy", theirs)):
            if not runs:
                continue
            spec = runs[0]["spec"]
            lengths.append(f"{name} {runs[0]['curve'][-1]['epoch']:.3g}")
            found += [f"{name} with {' '.join(spec['settings'])}"] if spec["settings"] else []
            found += [f"{name} trained on {spec['words']:,} words"] if spec["words"] else []
        found += [f"epochs: {', '.join(lengths)}"]
        found += [f"both on the first {key.limit:,} docs of each file"] if key.limit else []
        found += [f"BLAS threads of both: {key.threads}"] if key.threads else []
        for text in found:
            jobs[text].append(f"{key.job} {key.batch}")
    return [text if len(names) == n_rows else f"{text} ({', '.join(names)})" for text, names in jobs.items()]


def number(value: float | None, digits: int = 0) -> str:
    """A cell; a dash for what is not known.

    >>> number(1234.5), number(0.93456, 4), number(None), number(math.inf)
    ('1,234', '0.9346', '–', 'never')
    """
    if value is None:
        return "–"
    return "never" if math.isinf(value) else f"{value:,.{digits}f}"


def times(value: float | None) -> str:
    """A ratio's cell.

    >>> times(4.756), times(0.0712), times(None)
    ('4.76', '0.071', '–')
    """
    if value is None:
        return "–"
    return "never" if math.isinf(value) else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def measures(records: Sequence[Record]) -> dict[str, float]:
    """The tables' numbers as flat metrics: `speed.tagger.words.train_ratio`, …; what is not known is left out."""
    found: dict[str, float | None] = {}
    for (key, _), (ours, theirs) in grouped(records, "speed").items():
        prefix = f"speed.{key.job}.{key.batch}"
        for part in ("train", "predict"):
            a, b = (median(rate(record, part) for record in runs) for runs in (ours, theirs))
            found |= {f"{prefix}.{part}_ours": a, f"{prefix}.{part}_spacy": b, f"{prefix}.{part}_ratio": ratio(a, b)}
        for name in ("cold_start_seconds", "peak_mb"):
            a, b = (median(float(record[name]) for record in runs) for runs in (ours, theirs))
            found |= {f"{prefix}.{name}_ours": a, f"{prefix}.{name}_spacy": b}
    for (key, _), (ours, theirs) in grouped(records, "accuracy").items():
        prefix = f"accuracy.{key.job}.{key.batch}"
        target = median(map(best_score, theirs))
        found |= {f"{prefix}.best_ours": median(map(best_score, ours)), f"{prefix}.best_spacy": target}
        if target is not None:
            a = median(seconds_to(r["curve"], target) for r in ours)
            b = median(map(seconds_to_best, theirs))
            found |= {f"{prefix}.seconds_ours": a, f"{prefix}.seconds_spacy": b, f"{prefix}.seconds_ratio": ratio(a, b)}
    return {key: value for key, value in found.items() if value is not None and math.isfinite(value)}
