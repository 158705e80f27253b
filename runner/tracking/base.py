"""The protocol of a tracker (start, record, flush, finish), and the values that it is given.

The loop knows no tracker and a tracker knows no loop; between them stand `Step` and the plain values below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from runner.training.step import Step

Status = Literal["FINISHED", "FAILED", "KILLED"]
STATUSES: tuple[Status, ...] = ("FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True)
class DatasetInfo:
    """One file of the corpus."""

    name: str  # of the corpus
    split: str  # "train", "dev", "test", "teacher" or "old_dev"
    source: str  # path or URL
    digest: str  # sha256 of the file, in hex
    n_docs: int
    n_words: int


class ScoreColumns(NamedTuple):
    """The columns of one component, wherever scores stand in columns."""

    component: str
    heading: str  # of its loss: "NER"
    scores: Mapping[str, str]  # score → heading: {"ents_f": "NER F"}
    is_taught: bool = False  # it has a teacher, and two losses: what it learns of the data, and what it is taught
    main: Sequence[str] = ()  # the scores that are part of the final one; empty: the last one


@dataclass(frozen=True)
class LearningPart:
    """A component, or token vectors that components share."""

    name: str
    n_weights: int
    labels: Sequence[str] = ()
    learns: bool = True


@dataclass(frozen=True)
class Resumed:
    """Where an interrupted run was taken up again."""

    step: int  # updates done
    seconds: float  # that it had taken until then


@dataclass(frozen=True)
class RunInfo:
    """A run, as it is known before the first step."""

    name: str  # for people; the same config gives the same name
    experiment: str
    output_dir: Path
    config: Mapping[str, Any]  # nested and resolved, plain values
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[DatasetInfo] = ()
    components: Sequence[str] = ("ner",)
    columns: Sequence[ScoreColumns] = ()  # of the components that learn
    parts: Sequence[LearningPart] = ()
    places: Mapping[str, str] = field(default_factory=dict)  # tracker ("MLflow") → address that it writes to
    weighed: Sequence[str] = ()  # the scores that make up the final score
    chosen: Mapping[str, str] = field(default_factory=dict)  # key of the config that left it open → what was chosen
    max_epochs: int | None = None
    max_steps: int | None = None
    resumed: Resumed | None = None  # None: a new run
    parent: str | None = None  # the key of the journal of the sweep that the run belongs to


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    status: Status
    error: str | None = None  # why the run failed or was killed
    models: Mapping[str, Path] = field(default_factory=dict)  # name → model folder
    test: Mapping[str, float | None] = field(
        default_factory=dict
    )  # model-best's scores on the test set, if it was scored
    is_pruned: bool = False  # a search has ended the run early
    answer: Mapping[str, Any] | None = (
        None  # model-best's record of a made-up sentence, by which the answers are described
    )
    errors: Path | None = None  # the page of model-best's errors on the dev set, if it was written
    pictures: Sequence[Path] = ()  # of the same errors


class Tracker(Protocol):
    """An observer of a run."""

    def start(self, run: RunInfo) -> None:
        """Called before the first step. Raises RunnerError where it can be seen at once that tracking cannot work."""

    def record(self, step: Step) -> None:
        """Called after every step; returns at once."""

    def flush(self) -> None:
        """Called before a checkpoint: everything recorded so far must outlive a loss of power."""

    def finish(self, end: RunEnd) -> str | None:
        """Called after the last step, however the run ended. Returns the id of the tracked run, None where there is none."""


@runtime_checkable
class HasPlace(Protocol):
    """A tracker that can say where it writes to."""

    @property
    def place(self) -> tuple[str, str]:
        """Its name for people, and an address: ("MLflow", "http://127.0.0.1:5000")."""


class Trackers:
    """Many trackers as one. Each is told of nothing before its `start` has been called, not even of a run's early end."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers
        self._started: list[Tracker] = []

    def start(self, run: RunInfo) -> None:
        """Start each tracker. The run that they see names the places of those that have a `place`, (name, address)."""
        places = dict(tracker.place for tracker in self._trackers if isinstance(tracker, HasPlace))
        run = replace(run, places=places)
        for tracker in self._trackers:
            self._started.append(tracker)  # even if it fails, as it may have opened something
            tracker.start(run)

    def record(self, step: Step) -> None:
        for tracker in self._started:
            tracker.record(step)

    def flush(self) -> None:
        for tracker in self._started:
            tracker.flush()

    def finish(self, end: RunEnd) -> str | None:
        run_ids = [tracker.finish(end) for tracker in self._started]
        return next((run_id for run_id in run_ids if run_id), None)
