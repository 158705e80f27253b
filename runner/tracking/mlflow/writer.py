"""`RunWriter`: the events of one journal, written into one MLflow run.

Everything can be written again without harm: the run is known by its tag, metrics carry the journal's time stamps, files
and tags are overwritten. When to write, and what a failure means, is decided in sender.py.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelInput, Metric, Param
from mlflow.exceptions import MlflowException

from runner.secrets import masked_all
from runner.tracking.journal import KEY_TAG
from runner.tracking.metric_names import BEST_SCORE, as_shown
from runner.tracking.mlflow.entities import (
    creation_lock,
    dataset_input,
    experiment_id,
    forget_places,
    leave_libraries_alone,
)
from runner.tracking.mlflow.limits import MAX_METRICS, MAX_PARAM_VALUE, MAX_PARAMS, MAX_TAG_VALUE, clean_name, cut
from runner.tracking.mlflow.models import known_model, log_model, new_model
from runner.tracking.mlflow.moved import follow_moved_files, is_same_store, refuse_lost_store
from runner.tracking.mlflow.note import Links, note
from runner.tracking.mlflow.rank import TAG as RANK
from runner.tracking.mlflow.rank import rank
from runner.tracking.mlflow.registered import register
from runner.tracking.mlflow.store import DEFAULT_MODEL, artifact_root
from runner.tracking.mlflow.tables import RunTables
from runner.tracking.mlflow.task import Task
from runner.tracking.mlflow.view import columns_of
from runner.tracking.past_run import weights_sha256

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PARENT_SECONDS = 20.0  # that a sweep's job waits for the sweep's own run

Event = Mapping[str, Any]


class RunWriter:
    """One MLflow run. run_id and experiment_id are None until `open` has found or made the run."""

    def __init__(self, task: Task) -> None:
        self.run_id = task.run_id
        self.experiment_id: str | None = None
        self.tables = RunTables()
        self.registered: str | None = None  # what became of model-best in the registry, in a line
        self._task = task
        self._client: MlflowClient | None = None
        self._start: Event = {}
        self._dev: dict[str, str] = {}  # name and digest of the dev set, for the models' metrics
        self._models: dict[str, LoggedModel] = {}  # by name, once created
        self._monitor: SystemMetricsMonitor | None = None
        self._best_score: float | None = None  # on the dev set

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None, "an event before the start"
        return self._client

    @property
    def known_id(self) -> str:
        """The run's id."""
        assert self.run_id is not None, "an event before the start"
        return self.run_id

    def open(self, start: Event, new_tags: Mapping[str, str], say: Callable[[str], object]) -> None:
        """Find the run, or make it with its name and tags.

        start: the journal's first event. new_tags: of the process that has taken an interrupted run up. say: is told what
        the writer waits for. Raises ValueError where the store or its experiment is gone, and what MLflow raises.
        """
        self._start = start
        self.tables.begin(start)
        uri = self._task.uri
        refuse_lost_store(uri)
        with creation_lock(uri, say):
            follow_moved_files(uri)
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            root = self._artifact_root(start)
            self.experiment_id = experiment_id(self._client, start["experiment"], root, columns_of(start))
        if self.run_id is None or self._task.is_over or not is_same_store(uri, start["uri"]):
            self.run_id = self._known_run(start)
        if self.run_id is None:
            tags = _tags(start) | self._parent_tag(start) | self._rank()
            run = self._client.create_run(
                self.experiment_id, start_time=start["time"], run_name=start["name"], tags=tags
            )
            self.run_id = str(run.info.run_id)
        elif self._task.is_over:
            self._set_tags(self._parent_tag(start))
        else:
            self._client.set_terminated(self.run_id, status="RUNNING")
            self._set_tags({**new_tags, **self._rank()})

    def describe(self) -> None:
        """Write what the run's start says: parameters and data sets."""
        leave_libraries_alone()
        start, client = self._start, self.client
        params = [Param(clean_name(key), cut(text, MAX_PARAM_VALUE)) for key, text in start["params"].items()]
        for first in range(0, len(params), MAX_PARAMS):
            client.log_batch(self.known_id, params=params[first : first + MAX_PARAMS])
        inputs = [dataset_input(dataset) for dataset in start["datasets"]]
        if inputs:
            client.log_inputs(self.known_id, inputs)
        self._describe(note(start, links=self._links()))
        if model_id := start["tags"].get("init.model_id"):  # it lies in the run's own store, see tracking/initial.py
            client.log_inputs(self.known_id, models=[LoggedModelInput(model_id)])
        for made, info in zip(inputs, start["datasets"], strict=True):
            if info["split"] == "dev" and not self._dev:
                self._dev = {"dataset_name": made.dataset.name, "dataset_digest": made.dataset.digest}
        if start.get("system_metrics") and self._monitor is None and not self._task.is_over:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self._monitor = SystemMetricsMonitor(self.known_id, tracking_uri=self._task.uri)
            self._monitor.start()

    def write_metrics(self, events: Iterable[Event]) -> list[Event]:
        """Write the first of these events, as many as are metrics and one request takes; return those."""
        metrics: list[Metric] = []
        written: list[Event] = []
        for event in events:
            if event["event"] not in ("metrics", "evaluation") or len(metrics) + len(event["values"]) > MAX_METRICS:
                break
            metrics += _metrics(event)
            written.append(event)
        assert written, "one event holds more metrics than a request takes"
        self.client.log_batch(self.known_id, metrics=metrics)
        evaluations = [event for event in written if event["event"] == "evaluation"]
        for event in written:
            (self.tables.add if event["event"] == "evaluation" else self.tables.add_step)(event)
        best = [event["values"][BEST_SCORE] for event in evaluations if BEST_SCORE in event["values"]]
        if best:
            self._best_score = best[-1]
            self._set_tags(self._rank())
        return written

    def write_finish(self, event: Event, progress: Callable[[], object]) -> None:
        """Write the last metrics, files, models and the description. progress: called after each model."""
        if event["status"] != "KILLED":  # else it may go on, and is not at its end
            self.client.log_batch(self.known_id, metrics=_metrics(event))
        for path in event["artifacts"]:
            self.client.log_artifact(self.known_id, str(self._here(path)))
        for model in event["models"]:
            self._write_model(model, event.get("answer"))
            progress()
        self._register(event)
        self.tables.send(self.client, self.known_id)
        table = event.get("table") or self.tables.lines
        self._describe(note(self._start, event, table, self.tables.best_rows, self._links()))

    def end(self, status: str, error: str | None, end_time: int) -> None:
        """Write whatever is left, then the status: a run is never left RUNNING. end_time: ms since 1970."""
        self.tables.send(self.client, self.known_id)
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None
        if error:
            self.client.set_tag(self.known_id, "error", cut(error, MAX_TAG_VALUE))
        stale = ["error"] if not error and (self._task.n_resumes or self._task.is_over) else []
        for key in [*stale, "tracking_error"] if self._task.is_over else stale:
            with contextlib.suppress(MlflowException):  # of the interruption, if any
                self.client.delete_tag(self.known_id, key)
        self._set_tags(self._rank(is_broken=status != "FINISHED"))
        self.client.set_terminated(self.known_id, status=status, end_time=end_time)

    def give_up(self, error: str, status: str) -> None:
        """Write why the run's data is incomplete, and its status, as far as the store takes that."""
        with contextlib.suppress(Exception):
            if self.run_id is not None:
                self.client.set_tag(self.run_id, "tracking_error", cut(error, MAX_TAG_VALUE))
                self.client.set_terminated(self.run_id, status=status)

    def close(self) -> None:
        """Let go of what MLflow keeps for the run in memory."""
        forget_places([self.run_id, *(model.model_id for model in self._models.values())])

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_tag(self.known_id, key, cut(str(value), MAX_TAG_VALUE))

    def _describe(self, text: str) -> None:
        if text:
            self.client.set_tag(self.known_id, "mlflow.note.content", text)

    def _links(self) -> Links:
        """Where MLflow shows what the run belongs to, and what it has left so far."""
        assert self.experiment_id is not None, "links before `open`"
        parent, start_model = self._start["tags"].get("init.run_id"), None
        if parent:
            with contextlib.suppress(MlflowException):  # of another store
                start_model = (str(self.client.get_run(parent).info.experiment_id), str(parent))
        sweep = self.client.get_run(self.known_id).data.tags.get("mlflow.parentRunId")
        files = [file.path for file in self.client.list_artifacts(self.known_id)]
        models = {name: str(model.model_id) for name, model in self._models.items()}
        return Links(self.experiment_id, self.known_id, start_model, sweep, models, files)

    def _rank(self, *, is_broken: bool = False) -> dict[str, str]:
        task = str(self._start["tags"].get("component", ""))
        return {RANK: rank(task, self._best_score, is_broken=is_broken)}

    def _artifact_root(self, start: Event) -> str | None:
        if start["uri"] in (self._task.uri, masked_all(self._task.uri)):
            return start.get("artifact_root")
        root = artifact_root(self._task.uri)
        return str(root) if root is not None else None

    def _known_run(self, start: Event) -> str | None:
        """The run that an earlier attempt made in this store, even if that attempt never received its id."""
        by_key = self._run_of(start["tags"].get(KEY_TAG))
        if by_key is not None or self.run_id is None:
            return by_key
        try:
            return str(self.client.get_run(self.run_id).info.run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _run_of(self, key: str | None) -> str | None:
        """The id of the run of the journal with that key; None where there is none."""
        assert self.experiment_id is not None, "a search before `open`"
        runs = self.client.search_runs([self.experiment_id], f"tags.{KEY_TAG} = '{key}'") if key else []
        return str(runs[0].info.run_id) if runs else None

    def _parent_tag(self, start: Event) -> dict[str, str]:
        """The tag that makes the run a child of its sweep's run, which another process may just be making."""
        if not (key := start.get("parent")):
            return {}
        give_up = time.monotonic() + (0.0 if self._task.is_over else PARENT_SECONDS)
        while (parent := self._run_of(key)) is None:
            if time.monotonic() > give_up:
                return {}
            time.sleep(0.25)
        return {"mlflow.parentRunId": parent}

    def _write_model(self, about: Event, answer: Mapping[str, Any] | None) -> None:
        """Write a model folder and its scores. about, answer: of the journal's last event; see RunEnd."""
        assert self.experiment_id is not None
        name = about["name"]
        model = self._models.get(name) or known_model(self.client, self.experiment_id, self.known_id, name)
        model = model or new_model(self.client, self.experiment_id, self.known_id, name, self._start)
        self._models[name] = model
        folder = self._here(about["path"])
        if about.get("sha256") and weights_sha256(folder) != about["sha256"]:
            raise ValueError(f"{folder} is not the model that this run made, and was not sent")
        log_model(
            self.client,
            self.known_id,
            model,
            {"time": self._start["time"], **about, "answer": answer},
            folder,
            self._dev,
        )
        if about.get("sha256"):
            self.client.set_tag(self.known_id, f"weights_sha256.{name}", about["sha256"])

    def _register(self, event: Event) -> None:
        """Register model-best, if the run's end asks for it."""
        wanted, model = event.get("register"), self._models.get(DEFAULT_MODEL)
        if wanted and model is not None:
            with creation_lock(self._task.uri, lambda what: None):  # two jobs of a sweep must not read one holder
                self.registered = register(self.client, self.known_id, model, wanted["name"], wanted["alias"])

    def _here(self, path: str) -> Path:
        """A file or folder of the run; beside the journal, where both have been moved.

        A journal may come from a stranger: what lies outside its folder, or leads out of it, is never sent.
        Raises ValueError where there is no such file, or it holds a link.
        """
        folder = self._task.journal.parent.resolve()
        inside = folder / Path(path).name
        place = Path(path) if Path(path).exists() and Path(path).resolve().is_relative_to(folder) else inside
        if not place.resolve().is_relative_to(folder) or any(one.is_symlink() for one in place.rglob("*")):
            raise ValueError(f"{place} leads out of the run's folder, and was not sent")
        if not place.exists():
            raise ValueError(f"{place} is not there")
        return place


def _metrics(event: Event) -> list[Metric]:
    """The numbers of an event, with its step and time."""
    values = event["values"].items()
    return [Metric(clean_name(key), as_shown(key, float(value)), event["time"], event["step"]) for key, value in values]


def _tags(start: Event) -> dict[str, str]:
    """The run's own tags, and those that MLflow's pages show in columns of their own."""
    tags = {clean_name(key): cut(str(value), MAX_TAG_VALUE) for key, value in start["tags"].items()}
    known = {
        "mlflow.user": tags.get("user"),
        "mlflow.source.name": tags.get("command_line") or "runner",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": tags.get("git_commit"),
        "mlflow.source.git.branch": tags.get("git_branch"),
    }
    return {**tags, **{key: value for key, value in known.items() if value}}
