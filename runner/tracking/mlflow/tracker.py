"""The MLflow tracker as the training meets it: writes the journal, and lets a child process do the rest.

Nothing here imports MLflow or waits for it, but for `finish`. What can be seen to be wrong at once (a server that does
not answer) is an error before training; what the child finds out at its first contact is raised by the next `record` or
`finish`. A server that goes away later neither ends nor fails a run: `finish` waits some seconds for it and says how to
send the rest. The journal stays in the output folder whatever happens.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
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
from runner.tracking.base import STATUSES, RunInfo, Status
from runner.tracking.journal import FILE_NAME, KEY_TAG, JournalWriter, flatten, now_ms, past_of, per_type_rows
from runner.tracking.mlflow.delivery import IF_UNREACHABLE, Delivery, Unsent
from runner.tracking.mlflow.limits import MAX_EXPERIMENT_NAME, clean_name
from runner.tracking.mlflow.reach import answers, can_ask, deleted_experiment, unreachable, without_password
from runner.tracking.mlflow.store import artifact_root, sqlite_path, store_uri
from runner.tracking.mlflow.task import Task
from runner.tracking.mlflow.view import BEST_FIRST, how_to_look
from runner.tracking.past_run import weights_sha256
from runner.tracking.process import PROCESS_TAG, this_process
from runner.tracking.table import Table
from runner.training.step import Best, Evaluation, Step

MAX_KEYS = 59  # metric keys a run
MAX_EXTRA_KEYS = 20  # of these for losses by component and `Step.extra`
KILLED_SECONDS = 3.0  # an interrupted run waits no longer; the child goes on without us

STEP_KEYS = ("loss", "learn_rate", "L2", "grad_clip", "batch_size", "dropout", "grad_norm", "words", "words_per_second")
EVALUATION_KEYS = ("epoch", "score", "prediction_words_per_second", "excluded_entities")
BEST_KEYS = ("best_score", "best_epoch", "best_step")
_OF_EACH_PROCESS = ("kernel", "output_dir")  # tags that a resumed run gets anew
FINAL_KEYS = ("train_words", "seconds", "train_words_per_second", "tracking_share")


@registry.trackers("mlflow")
def mlflow(
    uri: str | None = None,
    experiment: str = "runner",
    run_name: str | None = None,
    system_metrics: bool = False,
    if_unreachable: Literal["fail", "offline"] = "fail",
) -> MlflowTracker:
    """Every number, setting and model in MLflow.

    uri: of the store; None for MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the current folder. run_name: None for
    the run's own. system_metrics: CPU, memory, disk and network of the machine every 10 seconds (needs psutil).
    if_unreachable: what happens where no server answers at the start: fail, or train and have the journal sent later.

    Raises RunnerError where the store cannot be written to, or does not answer.
    """
    return MlflowTracker(uri, experiment, run_name, system_metrics, if_unreachable)


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
    ) -> None:
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
        # An address that cannot be asked beforehand is judged by the child's first attempt.
        self._must_answer = if_unreachable == "fail" and not can_ask(self._uri)
        self._delivery: Delivery | None = None
        self._journal: JournalWriter | None = None
        self._closing_table: list[str] = []  # for the description, in place of the evaluations
        self.seconds_spent = 0.0

    def start(self, run: RunInfo) -> None:
        """Begin a journal in `run.output_dir` and have the child follow it. Raises RunFailed where that fails."""
        output_dir = run.output_dir.absolute()
        past = past_of(output_dir / FILE_NAME) if run.resumed is not None else []
        self._journal = JournalWriter(output_dir / FILE_NAME, is_new=not past)
        self._table = Table.of(run)
        self._is_child = run.parent is not None  # of a sweep, which says where all of it is to be seen
        self._output_dir = output_dir
        self._started = time.perf_counter() - (run.resumed.seconds if run.resumed is not None else 0.0)
        self._words, self._train_seconds = 0, 0.0
        self._recorded = self._scored = 0  # steps up to which the journal holds metrics, and evaluations
        self._last: Step | None = None
        self._ended: dict[str, Any] | None = (
            None  # how an earlier process has ended the run, killed before it could say so
        )
        self._evaluated: dict[str, dict[str, Any]] = {}  # model name → what its MLflow model is told
        self._best: dict[str, float] = {}
        self._keys: set[str] = {*STEP_KEYS, *EVALUATION_KEYS, *BEST_KEYS, *FINAL_KEYS}
        self._keys_of: dict[tuple[str, ...], tuple[str, ...]] = {}
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
        """None until the child has made the run."""
        return self._delivery.run_id if self._delivery is not None else None

    def _begin(self, run: RunInfo) -> None:
        """The journal's first event: all that is known before the first step."""
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
            table=list(self._table.lines),
            system_metrics=self._system_metrics,
        )

    def _take_up(self, past: list[dict[str, Any]]) -> str | None:
        """What an earlier process has recorded, so that no step is recorded twice; the id of its run."""
        run_id = None
        for event in past:
            if event["event"] == "run":
                run_id = str(event["run_id"])
            elif event["event"] == "metrics":
                self._recorded = int(event["step"])
                values = event["values"]
                self._words += int(values.get("words", 0))
                if values.get("words_per_second"):
                    self._train_seconds += values["words"] / values["words_per_second"]
                self._keys.update(values)
            elif event["event"] == "evaluation":
                self._scored = int(event["step"])
                self._keys.update(event["values"])
                self._table.lines.append(str(event["table"]))
                self._remember(event)
            elif event["event"] == "finish" and event["status"] == "FINISHED":
                self._ended = {key: event[key] for key in ("time", "step", "values")}
        return run_id

    def flush(self) -> None:
        if self._journal is not None:
            self._journal.flush()

    def record(self, step: Step) -> None:
        """Write the step's metrics. Raises RunnerError where the child's first contact showed the store to be of no use."""
        began = time.perf_counter()
        assert self._journal is not None, "record before start"
        names = (*step.losses, *step.extra)
        keys = self._keys_of.get(names)
        if keys is None:
            keys = self._keys_of[names] = self._step_keys(step)
        values = [
            step.loss, step.learn_rate, step.L2, step.grad_clip, step.batch_size, step.dropout, step.grad_norm,
            step.words, step.words / step.seconds if step.seconds > 0 else 0.0,
        ]  # fmt: skip
        if len(step.losses) > 1:
            values += step.losses.values()
        values += step.extra.values()
        if step.step > self._recorded:
            self._journal.metrics(step.step, keys, values[: len(keys)])  # those past the limit have no key
            self._words += step.words
            self._train_seconds += step.seconds
        self._last = step
        if step.evaluation is not None and step.step > self._scored:
            self._record_evaluation(step, step.evaluation, began)
        if self._delivery is not None:
            self._delivery.look_now_and_then()
        self.seconds_spent += time.perf_counter() - began

    def finish(
        self,
        status: Status,
        error: str | None = None,
        models: Mapping[str, Path] | None = None,
        test: Mapping[str, float | None] | None = None,
    ) -> str | None:
        """End the run and wait until everything is in MLflow, or it does not answer; returns the run's id.

        Raises RunnerError where a FINISHED run has a store of no use; otherwise says on stderr what is missing.
        """
        assert status in STATUSES, status
        if self._journal is None or self._delivery is None or self._is_over:  # never started, or told twice
            return self.run_id
        self._is_over = True
        step = self._last.step if self._last is not None else self._recorded
        end: Mapping[str, Any] = {"step": step, "values": self._final_values() | self._test_values(test or {})}
        if status == "FINISHED" and self._ended is not None and self._ended["step"] == step:
            end = self._ended  # MLflow may have these numbers already, and keeps equal ones once
        self._journal.event(
            "finish",
            status=status,
            error=error,
            **end,
            table=self._closing_table,
            best=self._best,
            models=[self._model(name, path) for name, path in (models or {}).items()],
            artifacts=[str(path) for path in self._artifacts() if path.is_file()],
        )
        self._journal.close()
        try:
            self._delivery.wait(KILLED_SECONDS if status == "KILLED" else None)
        except RunnerError as problem:
            if status == "FINISHED" and not isinstance(problem, Unsent):
                raise
            print(problem, file=sys.stderr)  # the run's own error is the one to raise
        if self.run_id is not None and not self._is_child and not self._delivery.was_place_told():
            print(*how_to_look(self._uri, self._delivery.experiment_id, view=self._view), sep="\n", flush=True)
        return self.run_id

    def _step_keys(self, step: Step) -> tuple[str, ...]:
        """The metric keys of a step; those past the limit are left out, the same ones every time."""
        more = [f"loss_{clean_name(name)}" for name in step.losses] if len(step.losses) > 1 else []
        more += [clean_name(name) for name in step.extra]
        more = more[:MAX_EXTRA_KEYS]
        admitted = self._admitted(more)
        return (*STEP_KEYS, *itertools.takewhile(lambda key: key in admitted, more))  # values are matched by position

    def _record_evaluation(self, step: Step, evaluation: Evaluation, began: float) -> None:
        assert self._journal is not None
        numbers: dict[str, float] = {
            "epoch": step.epoch,
            **_scores(evaluation),
            **{clean_name(f"{name}_loss"): loss for name, loss in evaluation.losses.items()},
            "prediction_words_per_second": evaluation.words_per_second,
            "excluded_entities": evaluation.excluded_entities,
        }
        admitted = self._admitted(numbers)
        values = {key: float(numbers[key]) for key in admitted}
        values["tracking_share"] = self._share(time.perf_counter() - began)
        about = {"time": now_ms(), "step": step.step, "epoch": step.epoch, "values": values}
        rows = per_type_rows(step.step, evaluation.per_type)
        best = None
        if step.best is not None:
            scores = {key: value for key, value in _scores(step.best).items() if key in values}
            others = {key: value for key, value in scores.items() if value != values[key]}
            # Where every component is of its own epoch. MLflow counts a model's metrics as the run's too, and the run has
            # these keys at this step already.
            renamed = {f"best_{key}": value for key, value in others.items()}
            renamed = {key: renamed[key] for key in self._admitted(renamed)}
            same = {key: value for key, value in values.items() if key not in others}
            best = {"values": {**same, **renamed}, "per_type": per_type_rows(step.step, step.best.per_type)}
            values.update(self._best_values(step.best))
        event = {**about, "table": self._table.add(step), "per_type": rows, "best": best}
        self._remember(event)
        self._journal.event("evaluation", **event)

    def _remember(self, event: Mapping[str, Any]) -> None:
        """What the models are told at the end."""
        about = {key: event[key] for key in ("time", "step", "epoch", "values")}
        self._evaluated["model-last"] = about
        if event["best"] is not None:
            self._evaluated["model-best"] = {**about, "values": event["best"]["values"]}
            self._best = {key: value for key, value in event["values"].items() if key.startswith("best_")}

    def _admitted(self, keys: Any) -> list[str]:
        """The keys that still fit under the limit, or are known already."""
        admitted = []
        for key in keys:
            if key in self._keys or len(self._keys) < MAX_KEYS:
                self._keys.add(key)
                admitted.append(key)
        return admitted

    def _share(self, more: float = 0.0) -> float:
        """Of the run's time, the part spent in `record`."""
        return (self.seconds_spent + more) / max(1e-9, time.perf_counter() - self._started)

    def _final_values(self) -> dict[str, float]:
        values = {"train_words": float(self._words), "seconds": time.perf_counter() - self._started}
        if self._train_seconds:
            values["train_words_per_second"] = self._words / self._train_seconds
        if self._last is not None and self._last.evaluation is None:  # else the step has this key already
            values["tracking_share"] = self._share()
        return values

    def _test_values(self, test: Mapping[str, float | None]) -> dict[str, float]:
        named = {clean_name(f"test/{key}"): value for key, value in test.items() if value is not None}
        return {key: float(named[key]) for key in self._admitted(named)}

    def _key(self) -> str:
        """By which the run is found in MLflow before its id is known."""
        return uuid.uuid4().hex

    def _artifacts(self) -> list[Path]:
        """Files that MLflow is given at the end, those that there are."""
        return [self._output_dir / "config.yaml", self._output_dir / PREDICTIONS]

    def _best_values(self, best: Best) -> dict[str, float]:
        """Logged whenever they change, at the step they speak of: an interrupted run has them too."""
        epochs = best.epochs if len(set(best.epochs.values())) > 1 else {}
        return {
            **({"best_score": best.score} if best.score is not None else {}),
            "best_epoch": best.epoch,
            "best_step": best.step,
            **{
                key: epoch
                for name, epoch in epochs.items()
                for key in self._admitted([clean_name(f"best_epoch_{name}")])
            },
        }

    def _model(self, name: str, path: Path) -> dict[str, Any]:
        sha256 = weights_sha256(path)
        return {
            "name": name,
            "path": str(path.absolute()),
            "sha256": sha256,
            **self._evaluated.get(name, {"step": 0, "values": {}}),
        }


def _scores(scored: Evaluation | Best) -> dict[str, float]:
    """The final score, and every other; those without gold are absent."""
    found = {"score": scored.score, **{clean_name(key): value for key, value in scored.scores.items()}}
    return {key: value for key, value in found.items() if isinstance(value, int | float)}
