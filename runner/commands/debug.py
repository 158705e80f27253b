"""`python -m runner debug [overrides]`: what the run would see, before it runs.

    python -m runner debug corpus=wnut17                      sizes, labels, faults, and what an epoch would cost
    python -m runner debug -m optimizer=adam,radam seed=0,1   every job of a multirun, composed and rehearsed
    python -m runner debug corpus=wnut17 --json               the same as one JSON object

Nothing is trained, written or tracked. Exit codes: 0, 1 where something would fail (see findings.py, and data that cannot be
read), 2 where the config itself is wrong.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import srsly

from runner.config.compose import compose
from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.foreign import shown_name
from runner.launch.program import parse_arguments

HELP = """\
python -m runner debug [key=value ...] [-m] [--config-dir DIR] [--json]

Shows what a run with these overrides would see: sizes, labels, faults of the data, time and memory of an epoch.
  -m, --multirun     every job of a multirun: composed, built, and rehearsed on a few texts
  --config-dir DIR   adds your folder of configs
  --json             one JSON object on stdout
Exit codes: 0 nothing stops the run, 1 something would (the last section says what), 2 the config is wrong."""

MARKS = {"ok": "✔", "note": "·", "warning": "⚠", "error": "✘"}
PLAIN_MARKS = {"ok": "+", "note": "-", "warning": "!", "error": "x"}
WIDTH = 118
PARTS = ("train", "dev", "test")  # of a corpus
_UNSUPPORTED = ("cfg", "info", "shell_completion", "hydra_help", "run", "resolve", "package", "version")


def main(words: Sequence[str]) -> int:
    """Run `debug` with these words of the command line; the exit code."""
    as_json = "--json" in words
    try:
        return _main([word for word in words if word != "--json"], as_json)
    except RunnerError as error:
        if as_json:
            print(srsly.json_dumps({"ok": False, "error": _error(error)}))
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("runner: interrupted", file=sys.stderr)
        return 130


def _main(words: Sequence[str], as_json: bool) -> int:
    _, arguments = parse_arguments(words)
    if arguments.help:
        print(HELP)
        return 0
    for name in _UNSUPPORTED:
        if getattr(arguments, name, None):
            raise RunnerError(
                "debug does not take it", place=f"--{name.replace('_', '-')}", hint="Leave debug out, or the option."
            )
    if arguments.multirun or arguments.config_dir or any("hydra.mode" in word for word in arguments.overrides):
        report = sweep_report(arguments.overrides, arguments.config_dir, is_multirun=arguments.multirun)
        if report is not None:
            print(srsly.json_dumps(report) if as_json else "\n".join(sweep_lines(report)))
            return 0 if report["ok"] else 1
    config = compose(arguments.overrides, arguments.config_dir)
    report = run_report(config)
    print(srsly.json_dumps(report) if as_json else "\n".join(run_lines(report)))
    return 0 if report["ok"] else 1


# One run


def run_report(config: RunConfig) -> dict[str, Any]:
    """Everything that debug knows of a run, as plain values. Raises RunnerError where even the data cannot be named."""
    from runner.assemble import make_corpus, make_learner, set_compute
    from runner.blocks import load_code
    from runner.commands import findings as judge
    from runner.corpus.diagnose import part_facts, plain, shared_facts
    from runner.training.estimate import estimate

    load_code(config.code)
    set_compute(config)
    report: dict[str, Any] = {
        "ok": False,
        "config": {"overrides": config.overrides, "choices": config.choices, "components": {}},
        "corpus": None,
        "estimate": None,
        "findings": [],
    }
    found: list[judge.Finding] = []
    try:
        corpus = make_corpus(config)
    except RunnerError as error:
        found.append(_as_finding("corpus", error))
        return _closed(report, found)
    train, dev = part_facts(corpus.train), part_facts(corpus.dev)
    shared = shared_facts(corpus.train, corpus.dev, train, dev)
    report["corpus"] = {
        "name": corpus.name,
        "gold_tokens": config.corpus.gold_tokens,
        "sources": [
            {"split": s.split, "path": str(s.path), "docs": s.n_docs, "words": s.n_words} for s in corpus.sources
        ],
        "train": plain(train),
        "dev": plain(dev),
        "shared": plain(shared),
    }
    found += judge.of_reading(corpus.left_out)
    found += judge.of_text(train, dev, shared)
    if corpus.test:
        test = part_facts(corpus.test)
        report["corpus"]["test"] = plain(test)
        found.append(judge.overlap(shared_facts(corpus.train, corpus.test, train, test), test.n_docs, "test"))
    try:
        pipeline, sgd, plan = make_learner(config, corpus.train)
        pipeline.initialize(lambda: corpus.train, sgd=sgd)
    except RunnerError as error:
        found.append(_as_finding("rehearsal", error))
        return _closed(report, found)
    for name, component in pipeline.components.items():
        report["config"]["components"][name] = {"type": component.type, "labels": component.labels}
        if component.has_weights:
            facts = {part: component.facts(getattr(corpus, part)) for part in PARTS if part in report["corpus"]}
            for part, counted in facts.items():
                report["corpus"][part].setdefault("annotations", {})[name] = counted.as_dict()
            found += judge.of_component(component, facts["train"], facts["dev"], corpus.train)
    if not any(finding.level == "error" for finding in found):
        found += _worth(pipeline, corpus, plan.score_weights)
    report["config"]["parameters"] = int(pipeline.parameters.weights.size)
    if not any(finding.level == "error" for finding in found):
        try:
            report["estimate"] = estimate(pipeline, corpus.train, corpus.dev, plan, sgd).as_dict()
            report["estimate"]["epochs"] = config.training.max_epochs
            _check_scores(pipeline, corpus.dev[:4], plan.score_weights)
        except RunnerError as error:
            found.append(_as_finding("rehearsal", error))
    return _closed(report, found)


def _worth(pipeline: Any, corpus: Any, weights: Any) -> Iterator[Any]:
    """What makes the result mean little or nothing, as the run itself finds it."""
    from runner.commands.degenerate import flaws
    from runner.commands.findings import Finding

    try:
        for place, flaw in flaws(pipeline, corpus, weights):
            yield Finding("error" if flaw.is_fatal else "warning", "text", flaw.fact, (place,), flaw.hint)
    except RunnerError as error:
        yield _as_finding("rehearsal", error)


def _check_scores(pipeline: Any, dev: Any, weights: Any) -> None:
    from runner.components.pipeline import final_score

    final_score(pipeline.evaluate(dev), weights)


def _closed(report: dict[str, Any], found: list[Any]) -> dict[str, Any]:
    from runner.commands.findings import as_dict

    report["findings"] = [as_dict(finding) for finding in found]
    report["ok"] = not any(finding.level == "error" for finding in found)
    return report


def _as_finding(section: str, error: RunnerError) -> Any:
    from runner.commands.findings import Finding

    return Finding("error", section, error.fact, (error.place,) if error.place else (), error.hint)


def _error(error: RunnerError) -> dict[str, Any]:
    return {"place": error.place, "message": error.fact, "hint": error.hint}


def run_lines(report: dict[str, Any]) -> Iterator[str]:
    """The report for people."""
    from runner.commands.findings import label_table

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
                f"   {lengths['min']:,} to {lengths['max']:,}, median {lengths['median']:,}, 95 % up to {lengths['p95']:,}"
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
    """Places without folders, as the corpus names them: "a.conll:3 = a.conll:1"."""
    return re.sub(r"(?:[^\s/=]*/)+(?=[^\s/=]+:\d)", "", place)


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """Lines of at most WIDTH characters; two places that belong together stay so."""
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
    """The count, and every error with its hint."""
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
    """Marks that the terminal's encoding knows."""
    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_MARKS
    return MARKS


# A multirun


def sweep_report(overrides: Sequence[str], config_dir: str | None, *, is_multirun: bool) -> dict[str, Any] | None:
    """Every job and whether it would run, as plain values; None where the command line stands for one run."""
    from runner.commands.preflight import Preflight
    from runner.launch.grid import jobs_of

    jobs = jobs_of(overrides, config_dir, is_multirun=is_multirun, check=Preflight(whole=True))
    if jobs is None:
        return None
    rows = [
        {"job": job.number, "overrides": job.overrides, "error": _error(job.error) if job.error is not None else None}
        for job in jobs
    ]
    return {"ok": all(row["error"] is None for row in rows), "jobs": rows}


def sweep_lines(report: dict[str, Any]) -> Iterator[str]:
    """A line a job, and what is wrong with the broken ones."""
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
