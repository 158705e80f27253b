"""The MLflow tracker as the training meets it: it writes the journal, and the follower does the rest.

Nothing here imports MLflow, and only `finish` waits for it. A store that can be seen to be wrong at once (a server that
does not answer) is an error before training; an error of the follower's first contact is raised by the next `record` or
`finish`. A server that goes away later neither ends nor fails a run: `finish` waits some seconds for it and says how to
send the rest. Whatever happens, the journal stays in the output folder.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shlex
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from runner import registry
from runner.components.predictions import FILE_NAME as PREDICTIONS
from runner.errors import RunFailed, RunnerError
from runner.tracking.base import STATUSES, RunEnd, RunInfo
from runner.tracking.journal import FILE_NAME, KEY_TAG, JournalWriter, flatten, now_ms, past_of, per_type_rows
from runner.tracking.metric_names import (
    BATCH_WORDS,
    SECONDS,
    SPEED,
    TRACKING_SHARE,
    TRAIN_SPEED,
    TRAIN_WORDS,
)
from runner.tracking.mlflow.carried import code_of
from runner.tracking.mlflow.delivery import IF_UNREACHABLE, Delivery, Unsent
from runner.tracking.mlflow.limits import MAX_EXPERIMENT_NAME, check_registry
from runner.tracking.mlflow.metrics import RunMetrics
from runner.tracking.mlflow.reach import answers, can_ask, deleted_experiment, unreachable, without_password
from runner.tracking.mlflow.store import artifact_root, sqlite_path, store_uri
from runner.tracking.mlflow.task import Task
from runner.tracking.mlflow.view import BEST_FIRST, how_to_look
from runner.tracking.past_run import weights_sha256
from runner.tracking.process import PROCESS_TAG, this_process
from runner.tracking.table import EvaluationTable
from runner.training.step import Evaluation, Step

KILLED_SECONDS = 3.0  # an interrupted run waits no longer; the follower goes on alone
_OF_BEST = ("dev/best_", "train/best_")  # what the metrics of the best weights begin with
_OF_EACH_PROCESS = ("kernel", "output_dir")  # tags that a resumed run gets anew


@registry.trackers("mlflow")
def mlflow(
    uri: str | None = None,
    experiment: str = "runner",
    run_name: str | None = None,
    system_metrics: bool = False,
    if_unreachable: Literal["fail", "offline"] = "fail",
    register: str | None = None,
    alias: str | None = None,
) -> MlflowTracker:
    """Track every number, setting and model in MLflow.

    uri: of the store; None for MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the current folder. run_name: None for
    the run's own. system_metrics: CPU, memory, disk and network of the machine every 10 seconds (needs psutil).
    if_unreachable: what happens where no server answers at the start: fail, or train and have the journal sent later.
    register, alias: see check_registry.

    Raises RunnerError where the store cannot be written to, or does not answer.
    """
    return MlflowTracker(uri, experiment, run_name, system_metrics, if_unreachable, register, alias)


class MlflowTracker:
    """seconds_spent: time spent in `record`, all in all."""

    _view = BEST_FIRST

    def __init__(
        self,
        uri: str | None = None,
        experiment: str = "runner",
        run_name: str | None = None,
        system_metrics: bool = False,
        if_unreachable: Literal["fail", "offline"] = "fail",
        register: str | None = None,
        alias: str | None = None,
    ) -> None:
        check_registry(register, alias)
        self._registry = {"name": register, "alias": alias} if register is not None else None
        self._uri = store_uri(uri)
        if not 0 < len(experiment) <= MAX_EXPERIMENT_NAME:
            raise RunnerError(
                f"a name of {len(experiment)} characters does not fit",
                place="tracking.experiment",
                hint=f"MLflow takes 1 to {MAX_EXPERIMENT_NAME} characters.",
            )
        self._experiment = experiment
        self._run_name = run_name
        self._system_metrics = system_metrics
        if not experiment.strip():
            raise RunnerError("the experiment has no name", place="tracking.experiment")
        if system_metrics and importlib.util.find_spec("psutil") is None:
            raise RunnerError(
                "system metrics need the library psutil", place="tracking.system_metrics", hint="pip install psutil"
            )
        if not answers(self._uri):
            if if_unreachable == "fail":
                raise RunnerError(unreachable(self._uri), place="tracking.uri", hint=IF_UNREACHABLE)
            fact = f"{unreachable(self._uri)}; until one does, the run is kept in its own folder"
            hint = "Sent when the server is back, or later: python -m runner sync"
            print(RunnerError(fact, place="tracking.uri", hint=hint), file=sys.stderr, flush=True)
        elif (deleted := deleted_experiment(self._uri, experiment)) is not None:
            store = self._uri if sqlite_path(self._uri) is not None else without_password(self._uri)
            restore = f"MLFLOW_TRACKING_URI={shlex.quote(store)} mlflow experiments restore -x {deleted}"
            raise RunnerError(
                f"the experiment {experiment!r} was deleted, and takes no runs",
                place="tracking.experiment",
                hint=f"Choose another, tracking.experiment=NAME, or restore it: {restore}",
            )
        # An address that cannot be asked beforehand is judged by the follower's first attempt.
        self._must_answer = if_unreachable == "fail" and not can_ask(self._uri)
        self._delivery: Delivery | None = None
        self._journal: JournalWriter | None = None
        self._closing_table: list[str] = []  # for the description, in place of the evaluations
        self.seconds_spent = 0.0

    @property
    def place(self) -> tuple[str, str]:
        return "MLflow", self._uri

    def start(self, run: RunInfo) -> None:
        """Begin a journal in `run.output_dir` and have it followed. Raises RunFailed where the system refuses."""
        output_dir = run.output_dir.absolute()
        past = past_of(output_dir / FILE_NAME) if run.resumed is not None else []
        self._journal = JournalWriter(output_dir / FILE_NAME, is_new=not past)
        self._table = EvaluationTable.of(run)
        self._is_child = run.parent is not None  # of a sweep, which says where all of it is to be seen
        self._output_dir = output_dir
        self._started = time.perf_counter() - (run.resumed.seconds if run.resumed is not None else 0.0)
        self._words, self._train_seconds = 0, 0.0
        self._recorded = self._scored = 0  # steps up to which the journal holds metrics, and evaluations
        self._last: Step | None = None
        # How an earlier process has ended the run, if it was killed before it could say so.
        self._ended: dict[str, Any] | None = None
        self._evaluated: dict[str, dict[str, Any]] = {}  # model name → what its MLflow model is told
        self._best: dict[str, float] = {}
        self._metrics = RunMetrics()
        self._is_over = False
        self.seconds_spent = 0.0
        run_id = None
        if past and run.resumed is not None:
            try:
                run_id = self._take_up(past)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise RunFailed(
                    f"the journal is damaged ({type(error).__name__}: {error})",
                    place=str(output_dir / FILE_NAME),
                    hint="Rename it: the run goes on from its checkpoint, and MLflow gets a new run.",
                ) from error
            tags = {**run.tags, "output_dir": str(output_dir)}
            changed = {key: tags[key] for key in _OF_EACH_PROCESS if key in tags}
            self._journal.event("resume", step=run.resumed.step, process=this_process(), tags=changed, uri=self._uri)
        else:
            self._begin(run)
        n_resumes = sum(event["event"] == "resume" for event in past) + bool(past)
        task = Task(self._journal.path, self._uri, run_id=run_id, n_resumes=n_resumes, must_answer=self._must_answer)
        self._delivery = Delivery(self._journal, task)

    @property
    def run_id(self) -> str | None:
        """The run's id in MLflow; None until the follower has made the run."""
        return self._delivery.run_id if self._delivery is not None else None

    def _begin(self, run: RunInfo) -> None:
        """Write the journal's first event: all that is known before the first step."""
        assert self._journal is not None
        root = artifact_root(self._uri)
        process = this_process()
        self._journal.event(
            "start",
            name=self._run_name or run.name,
            experiment=self._experiment,
            uri=self._uri,
            artifact_root=str(root) if root is not None else None,
            output_dir=str(self._output_dir),
            parent=run.parent,
            # The folder is a tag: as a parameter it would tell all runs apart when they are compared.
            params=flatten({key: value for key, value in run.config.items() if key != "output_dir"}),
            tags={
                "component": ",".join(run.components),
                **run.tags,
                "output_dir": str(self._output_dir),
                KEY_TAG: self._key(),
                PROCESS_TAG: process,
            },
            process=process,
            datasets=[dataclasses.asdict(dataset) for dataset in run.datasets],
            scores=[score for one in run.columns for score in one.scores],
            weighed=list(run.weighed),
            table=list(self._table.lines),
            system_metrics=self._system_metrics,
        )

    def _take_up(self, past: list[dict[str, Any]]) -> str | None:
        """Take in what an earlier process has recorded, so that no step is recorded twice; return the id of its run."""
        run_id = None
        for event in past:
            if event["event"] == "run":
                run_id = str(event["run_id"])
            elif event["event"] == "metrics":
                self._recorded = int(event["step"])
                values = event["values"]
                self._words += int(values.get(BATCH_WORDS, 0))
                if values.get(SPEED):
                    self._train_seconds += values[BATCH_WORDS] / values[SPEED]
                self._metrics.know_step(values)
            elif event["event"] == "evaluation":
                self._scored = int(event["step"])
                self._metrics.know(event["values"])
                self._table.lines.append(str(event["table"]))
                self._remember(event)
            elif event["event"] == "finish" and event["status"] == "FINISHED":
                self._ended = {key: event[key] for key in ("time", "step", "values")}
        return run_id

    def flush(self) -> None:
        if self._journal is not None:
            self._journal.flush()

    def record(self, step: Step) -> None:
        """Write the step's metrics. Raises RunnerError if the follower's first contact failed: the store is of no use."""
        began = time.perf_counter()
        assert self._journal is not None, "record before start"
        if step.step > self._recorded:
            self._journal.metrics(step.step, *self._metrics.of_step(step))
            self._words += step.words
            self._train_seconds += step.seconds
        self._last = step
        if step.evaluation is not None and step.step > self._scored:
            self._record_evaluation(step, step.evaluation, began)
        if self._delivery is not None:
            self._delivery.look_now_and_then()
        self.seconds_spent += time.perf_counter() - began

    def finish(self, end: RunEnd) -> str | None:
        """End the run and wait until everything is in MLflow, or it does not answer; returns the run's id.

        Raises RunnerError where a FINISHED run has a store of no use; otherwise says on stderr what is missing.
        """
        assert end.status in STATUSES, end.status
        if self._journal is None or self._delivery is None or self._is_over:  # never started, or told twice
            return self.run_id
        self._is_over = True
        step = self._last.step if self._last is not None else self._recorded
        last: Mapping[str, Any] = {"step": step, "values": self._final_values() | self._metrics.of_test(end.test)}
        if end.status == "FINISHED" and self._ended is not None and self._ended["step"] == step:
            last = self._ended  # MLflow may have these numbers already, and keeps equal ones once
        pages = [path.absolute() for path in (end.errors, *end.pictures) if path is not None]
        self._journal.event(
            "finish",
            status=end.status,
            error=end.error,
            **last,
            table=self._closing_table,
            best=self._best,
            models=[self._model(name, path) for name, path in end.models.items()],
            artifacts=[str(path) for path in (*self._artifacts(), *pages) if path.is_file()],
            answer=end.answer,
            register=self._registry if end.status == "FINISHED" and not end.is_pruned else None,
        )
        self._journal.close()
        try:
            self._delivery.wait(KILLED_SECONDS if end.status == "KILLED" else None)
        except RunnerError as problem:
            if end.status == "FINISHED" and not isinstance(problem, Unsent):
                raise
            print(problem, file=sys.stderr)  # the run's own error is the one to raise
        if self._delivery.registered is not None:
            print(self._delivery.registered, flush=True)
        if self.run_id is not None and not self._is_child and not self._delivery.was_place_told():
            print(*how_to_look(self._uri, self._delivery.experiment_id, view=self._view), sep="\n", flush=True)
        return self.run_id

    def _record_evaluation(self, step: Step, evaluation: Evaluation, began: float) -> None:
        assert self._journal is not None
        values = self._metrics.of_evaluation(step, evaluation)
        values[TRACKING_SHARE] = self._share(time.perf_counter() - began)
        about = {"time": now_ms(), "step": step.step, "epoch": step.epoch, "values": values}
        rows = per_type_rows(step.step, evaluation.per_type)
        best = None
        if step.best is not None:
            of_model = self._metrics.of_best_model(step.best, values)
            best = {"values": of_model, "per_type": per_type_rows(step.step, step.best.per_type)}
            values.update(self._metrics.of_best(step.best))  # at once: an interrupted run has them too
        event = {**about, "table": self._table.add(step), "per_type": rows, "best": best}
        self._remember(event)
        self._journal.event("evaluation", **event)

    def _remember(self, event: Mapping[str, Any]) -> None:
        """Keep the numbers that the models in MLflow are given at the end."""
        about = {key: event[key] for key in ("time", "step", "epoch", "values")}
        self._evaluated["model-last"] = about
        if event["best"] is not None:
            self._evaluated["model-best"] = {**about, "values": event["best"]["values"]}
            self._best = {key: value for key, value in event["values"].items() if key.startswith(_OF_BEST)}

    def _share(self, more: float = 0.0) -> float:
        """The share of the run's time that was spent in `record`."""
        return (self.seconds_spent + more) / max(1e-9, time.perf_counter() - self._started)

    def _final_values(self) -> dict[str, float]:
        values = {TRAIN_WORDS: float(self._words), SECONDS: time.perf_counter() - self._started}
        if self._train_seconds:
            values[TRAIN_SPEED] = self._words / self._train_seconds
        if self._last is not None and self._last.evaluation is None:  # else the step has this key already
            values[TRACKING_SHARE] = self._share()
        return values

    def _key(self) -> str:
        """The key of the journal: by this tag the run is found in MLflow before its id is known."""
        return uuid.uuid4().hex

    def _artifacts(self) -> list[Path]:
        """The files that MLflow is given at the end, if they exist."""
        return [self._output_dir / "config.yaml", self._output_dir / PREDICTIONS]

    def _model(self, name: str, path: Path) -> dict[str, Any]:
        sha256 = weights_sha256(path)
        return {
            "name": name,
            "path": str(path.absolute()),
            "sha256": sha256,
            "code": code_of(path),
            **self._evaluated.get(name, {"step": 0, "values": {}}),
        }
