"""One run, measured from inside its own process: the same clockwork for both sides.

A side knows how to make batches, update, predict and score; `drive` decides what counts. Training seconds are those of
batching and updates alone; prediction seconds those from the dev set's words, in lists, to annotated docs. CPU seconds
are of all threads of the process. Runs are scored with averaged parameters.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

Text = tuple[list[str], list[bool]]  # words, and whether a space follows each


class Side(Protocol):
    """What is measured."""

    train_words: int  # of an epoch

    def batches(self, epoch: int) -> Iterator[tuple[Any, int]]:
        """The batches of an epoch, each with its number of words."""

    def update(self, batch: Any) -> None:
        """One step."""

    def texts(self) -> tuple[Any, int]:
        """The dev set as words and the spaces after them, and the number of words."""

    def predict(self, texts: Any) -> Any:
        """Make docs of them and annotate these, with the parameters in use."""

    def score(self, docs: Any) -> Mapping[str, float]:
        """Scores of the annotated docs."""

    def averaged(self) -> Any:
        """A context manager in which the averaged parameters are in use."""


class Stopwatch:
    """CPU and wall seconds between start and stop, added up."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self._began = (0.0, 0.0)

    def start(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        self.cpu += time.process_time() - self._began[0]
        self.wall += time.perf_counter() - self._began[1]


class _Course:
    """What one training has come to: words and seconds so far, and the scores at each evaluation."""

    def __init__(self, side: Side, score_weights: Mapping[str, float]) -> None:
        self.side, self.weights = side, score_weights
        self.training, self.predicting = Stopwatch(), Stopwatch()
        self.trained = self.predicted = self.steps = 0  # words, words, updates
        self.curve: list[dict[str, Any]] = []

    def evaluate(self) -> None:
        n, scores = _scored(self.side, self.predicting)
        self.predicted += n
        total = sum(self.weights.values())
        self.curve.append(
            {
                "epoch": round(self.trained / self.side.train_words, 4),
                "words": self.trained,
                "cpu_seconds": self.training.cpu,
                "wall_seconds": self.training.wall,
                "score": sum(scores.get(key, 0.0) * weight for key, weight in self.weights.items()) / total,
                "scores": scores,
            }
        )


def drive(
    side: Side,
    *,
    score_weights: Mapping[str, float],
    epochs: int,
    words: int | None = None,
    evals: int = 1,
    is_curve: bool = True,
) -> dict[str, Any]:
    """Train, and evaluate `evals` times an epoch (only at the end, where not `is_curve`).

    words: stop after so many. Returns plain values, see README.md.
    """
    course = _Course(side, score_weights)
    training = course.training
    cold_start = 0.0
    is_over = False
    for epoch in range(1, epochs + 1):
        done, next_evaluation = 0, 1
        training.start()
        for batch, n in side.batches(epoch):
            side.update(batch)
            course.trained, done, course.steps = course.trained + n, done + n, course.steps + 1
            if not cold_start:
                training.stop()
                cold_start = process_age()
                training.start()
            if words is not None and course.trained >= words:
                is_over = True
                break
            if is_curve and done < side.train_words and done >= next_evaluation * side.train_words / evals:
                training.stop()
                course.evaluate()
                next_evaluation = int(done * evals / side.train_words) + 1
                training.start()
        training.stop()
        if is_curve or is_over or epoch == epochs:
            course.evaluate()
        if is_over:
            break
    return {
        "steps": course.steps,
        "train_words": course.trained,
        **_seconds("train", training),
        "predict_words": course.predicted,
        **_seconds("predict", course.predicting),
        "cold_start_seconds": cold_start,
        "peak_mb": peak_mb(),
        "blas": blas(),
        "machine": machine(),
        "curve": course.curve,
    }


def _scored(side: Side, watch: Stopwatch) -> tuple[int, dict[str, Any]]:
    """The number of words predicted with the averaged parameters, and the scores; the watch runs while it predicts."""
    texts, n = side.texts()
    with side.averaged():
        watch.start()
        docs = side.predict(texts)
        watch.stop()
        return n, dict(side.score(docs))


def _seconds(what: str, watch: Stopwatch) -> dict[str, float]:
    return {f"{what}_cpu_seconds": watch.cpu, f"{what}_wall_seconds": watch.wall}


def counted(texts: list[Text]) -> tuple[list[Text], int]:
    """The texts, and how many words they hold."""
    return texts, sum(len(words) for words, _ in texts)


def process_age() -> float:
    """Seconds since this process was created, to a hundredth where the system tells; else since Python started."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # seconds after boot
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, AttributeError, IndexError):
        import psutil

        return time.time() - float(psutil.Process().create_time())


def peak_mb() -> float:
    """The largest resident memory of this process so far, in MB (10^6 bytes).

    `ru_maxrss` may hold that of the process which started this one, so the kernel's own line comes first.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries in this process that can be asked, with the threads each may use.

    thinc's BLIS cannot; it is compiled into its module, and runs in one thread.
    """
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "num_threads")
    return [{key: info.get(key) for key in keys} for info in threadpool_info()]


def machine() -> dict[str, Any]:
    """The processor's name, and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cpu": name, "cores": cores}


def describe(machine: Mapping[str, Any]) -> str:
    """Which machine, in a heading.

    >>> describe({"cpu": "AMD EPYC", "cores": 2})
    'AMD EPYC, 2 cores'
    """
    return f"{machine['cpu']}, {machine['cores']} core{'s' if machine['cores'] != 1 else ''}"


def versions(*packages: str) -> dict[str, str]:
    """What is installed, for the record."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
