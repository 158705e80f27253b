"""Our side of one run: `python -m benchmarks.defaults.ours JSON`, with the keys of `Work`.

The settings are those of `python -m runner pipeline=COMPONENT corpus.train=… corpus.dev=…`, and nothing else (side "guide":
with experiment=guide). The loop is that command's, without its trackers. The weights of the best epoch are scored on the
test set once.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.defaults.cells import Run
from benchmarks.defaults.choices import Choices
from benchmarks.measure import machine, peak_mb, versions
from runner.assemble import make_corpus, make_learner, set_compute
from runner.config.compose import compose
from runner.corpus.packed.examples import n_words
from runner.errors import RunnerError
from runner.training.loop import Training, evaluate


@dataclass(frozen=True)
class Work:
    """What a process is handed.

    folder: of the corpora. settings: further overrides. average: None, or the evaluations that the choice "average"
    takes; all choices are then scored, see choices.py.
    """

    run: Run
    folder: str
    settings: tuple[str, ...] = ()
    average: int | None = None

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Work:
        values = json.loads(text)
        return cls(Run(**values["run"]), values["folder"], tuple(values["settings"]), values["average"])


def overrides_of(run: Run, folder: Path) -> list[str]:
    """The command line of the run."""
    place = (folder / run.corpus).resolve()
    data = [f"corpus.{part}={place}/{stem}.jsonl" for part, stem in files_of(run).items()]
    guide = ["experiment=guide"] if run.side == "guide" else []
    return [f"pipeline={run.component}", "corpus=files", *data, *guide, f"seed={run.seed}", "tracking=none"]


def files_of(run: Run) -> dict[str, str]:
    """Part → the stem of its file's name."""
    return {"train": f"train-{run.size}", "dev": "dev", "test": "test"}


def measure(work: Work) -> dict[str, Any]:
    """Train in this process. Returns plain values: a record without its name and date."""
    config = compose([*overrides_of(work.run, Path(work.folder)), *work.settings])
    set_compute(config)
    corpus = make_corpus(config)
    pipeline, sgd, plan = make_learner(config, corpus.train)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    clock = Clock()
    pipeline.evaluate = clock.paused(pipeline.evaluate)  # type: ignore[method-assign]
    training = Training(pipeline, corpus.train, corpus.dev, plan, sgd)
    choices = Choices(work.average) if work.average else None
    curve, best, words = [], None, 0
    clock.start()
    for step in training:
        words += step.words
        if step.evaluation is not None:
            score = step.evaluation.score
            assert score is not None, "every corpus has gold for its components"
            point = {"step": step.step, "epoch": round(words / step.epoch_words, 3), "cpu_seconds": clock.now()}
            curve.append({**point, "score": score, "dropout": round(step.dropout, 4)})
            params = sgd.averages or pipeline.parameters.views(pipeline.parameters.weights)  # where none are kept
            if step.best is not None:
                chosen = step.best.params or params
                best = step.best, {path: np.array(value) for path, value in chosen.items()}
            if choices is not None:
                choices.record(score, params)
    seconds = clock.now()
    assert best is not None

    def scores_of(params: Any, part: Any) -> dict[str, float]:
        return numbers(evaluate(pipeline, part, plan.score_weights, params).scores)

    def both(params: Any) -> dict[str, dict[str, float]]:
        return {"dev": scores_of(params, corpus.dev), "test": scores_of(params, corpus.test)}

    return {
        "curve": curve, "cpu_seconds": seconds, "words": words, "train_words": int(n_words(corpus.train).sum()),
        "steps": training.n_updates, "dev": numbers(best[0].scores), "test": scores_of(best[1], corpus.test),
        "settings": list(work.settings), "peak_mb": round(peak_mb()), "versions": versions("thinc", "numpy"),
        "machine": machine(), **({"average": work.average, "choices": choices.scored(both)} if choices else {}),
    }  # fmt: skip


class Clock:
    """CPU seconds of this process, without those of evaluations."""

    def __init__(self) -> None:
        self._from = self._paused = 0.0

    def start(self) -> None:
        self._from = time.process_time() - self._paused

    def now(self) -> float:
        """Seconds since the start, to a thousandth."""
        return round(time.process_time() - self._from - self._paused, 3)

    def paused(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; the seconds that it takes do not count."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                self._paused += time.process_time() - began

        return timed


def numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores that are single numbers, to a millionth."""
    return {key: round(value, 6) for key, value in scores.items() if isinstance(value, (int, float))}


if __name__ == "__main__":
    from benchmarks.turns import reply

    try:
        reply(measure(Work.from_json(sys.argv[1])))
    except RunnerError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
