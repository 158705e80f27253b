"""Collect debug's report on a run, or on each job of a multirun: sizes, labels, findings and an estimate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from runner.assemble import make_corpus, make_learner, make_start, set_compute
from runner.commands.debug import findings as judge
from runner.commands.debug.findings import Finding
from runner.commands.degenerate import flaws
from runner.commands.preflight import Preflight
from runner.commands.teaching import taught
from runner.components.scores import final_score
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.corpus.diagnose import part_facts, plain, shared_facts
from runner.errors import RunnerError
from runner.launch.jobs import jobs_of
from runner.training.estimate import estimate
from runner.user_code import load_code

PARTS = ("train", "dev", "test")


def run_report(config: RunConfig) -> dict[str, Any]:
    """Return debug's report on one run. An error that would stop the run becomes a finding."""
    load_code(config.code)
    set_compute(config)
    report: dict[str, Any] = {
        "ok": False,
        "config": {"overrides": config.overrides, "choices": config.choices, "components": {}},
        "corpus": None,
        "estimate": None,
        "findings": [],
    }
    findings: list[Finding] = []
    section = "corpus"
    try:
        corpus = make_corpus(config)
        findings += _look_at_texts(config, corpus, report)
        section = "rehearsal"
        _rehearse(config, corpus, report, findings)
    except RunnerError as error:
        findings.append(Finding("error", section, error.fact, (error.place,) if error.place else (), error.hint))
    report["findings"] = [judge.as_dict(finding) for finding in findings]
    report["ok"] = not _has_error(findings)
    return report


def _look_at_texts(config: RunConfig, corpus: Corpus, report: dict[str, Any]) -> Iterator[Finding]:
    """Fill in `report["corpus"]`, and yield findings about the texts and how they were read."""
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
    yield from judge.of_reading(corpus.left_out)
    yield from judge.of_text(train, dev, shared)
    if corpus.test:
        test = part_facts(corpus.test)
        report["corpus"]["test"] = plain(test)
        yield judge.overlap(shared_facts(corpus.train, corpus.test, train, test), test.n_docs, "test")


def _rehearse(config: RunConfig, corpus: Corpus, report: dict[str, Any], findings: list[Finding]) -> None:
    """Build the pipeline, check each component's annotation, and time some updates unless an error was found."""
    initial, teacher = make_start(config)
    corpus, _ = taught(config, corpus, initial, teacher)
    pipeline, sgd, plan = make_learner(config, corpus.train, initial, teacher)

    @cache
    def words(part: str) -> list[str]:
        return [word for example in getattr(corpus, part) for word in example.predicted.words]

    pipeline.initialize(lambda: corpus.train, sgd=sgd, start_over=False)
    report["config"]["parameters"] = int(pipeline.parameters.weights.size)
    for name, component in ((name, pipeline.components[name]) for name in pipeline.pipe_names):
        report["config"]["components"][name] = {"type": component.type, "labels": component.labels}
        if component.has_weights:
            facts = {part: component.facts(getattr(corpus, part)) for part in PARTS if part in report["corpus"]}
            for part, counted in facts.items():
                report["corpus"][part].setdefault("annotations", {})[name] = counted.as_dict()
            before = initial.components.get(name) if initial else None
            learned = before.labels if before else ()
            findings += judge.of_component(component, facts["train"], facts["dev"], corpus.train, learned)
            findings += judge.of_vectors(component, words)
    if not _has_error(findings):
        for place, flaw in flaws(pipeline, corpus, plan):
            level: judge.Level = "error" if flaw.is_fatal else "warning"
            findings.append(Finding(level, "text", flaw.fact, (place,), flaw.hint))
    if not _has_error(findings):
        report["estimate"] = estimate(pipeline, corpus.train, corpus.dev, plan, sgd).as_dict()
        report["estimate"]["epochs"] = plan.max_epochs
        report["chosen"] = dict(plan.chosen)
        final_score(pipeline.evaluate(corpus.dev[:4]), plan.score_weights)  # raises if a weight names an unknown score


def _has_error(findings: Sequence[Finding]) -> bool:
    return any(finding.level == "error" for finding in findings)


def sweep_report(overrides: Sequence[str], config_dir: str | None, *, is_multirun: bool) -> dict[str, Any] | None:
    """Return every job and its error, if any; None if the command line describes a single run."""
    jobs = jobs_of(overrides, config_dir, is_multirun=is_multirun, check=Preflight(whole=True))
    if jobs is None:
        return None
    rows = [{"job": job.number, "overrides": job.overrides, "error": _error(job.error)} for job in jobs]
    return {"ok": all(row["error"] is None for row in rows), "jobs": rows}


def _error(error: RunnerError | None) -> dict[str, Any] | None:
    return {"place": error.place, "message": error.fact, "hint": error.hint} if error is not None else None
