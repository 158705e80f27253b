"""The child process that puts journals into MLflow: `python -m runner.tracking.mlflow`, started by child.py.

    stdin   {"journal": PATH, "run": 1}   follow this journal (with "run_id": into a run that exists; with "resumes": N,
                                          in place of N processes that were interrupted; with "over": nobody writes to
                                          it any more; with "uri": into this store; with "must_answer": a server that
                                          does not answer at first contact is an error)
            {"wake": 1}                   look at once
            end of input                  the training process is gone: runs without a finish event end KILLED
    stdout  {"run": 1, "run_id": …}  {"run": 1, "sent": N}  {"run": 1, "done": true, "status": …}
            {"run": 1, "error": …, "hint": …, "is_away": …}  it was given up; is_away: nobody answers
            {"run": 1, "away": …}         at the end of the run: an attempt failed, another will follow
            {"run": 1, "busy": true}      another process is sending this journal

The only module that imports MLflow (mlflow_store.py asks for a model's place, with the same care). Everything sent can
be sent again without harm: the run is known by its tag, metrics carry the journal's time stamps, files and tags are
overwritten. Interrupts are ignored; the training process decides. What is wrong with the store at first contact is
fatal; a server that goes away is tried again until the run has ended, and then for a few seconds: the journal stays,
and `python -m runner sync` sends it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import queue
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import add_to_model

from runner import __version__
from runner.errors import RunFailed
from runner.tracking.journal import KEY_TAG, JournalLock, JournalReader, Sent, now_ms
from runner.tracking.mlflow_store import MODEL_FOLDER, artifact_root, sqlite_path
from runner.tracking.process import PROCESS_TAG
from runner.tracking.reach import unreachable
from runner.tracking.view import view_tags

LOOK_SECONDS = 1.0  # between two looks at a growing journal
TABLE_SECONDS = 15.0  # between two uploads of the growing tables
MAX_METRICS = 1000  # MLflow's limits of one request
MAX_PARAMS = 100
MAX_PARAM_VALUE = 6000
MAX_TAG_VALUE = 5000
PARENT_SECONDS = 20.0  # that a sweep's job waits for the sweep's own run
GIVE_UP_SECONDS = 10.0  # of failed attempts after the run's end, or when the training process is gone
BUSY_SECONDS = 30.0  # the same, of a SQLite store that other processes keep busy
NEVER_SEEN_SECONDS = 2.0  # the same, where it has not answered even once
ORPHAN_SECONDS = 120.0  # after which a journal is left alone that another process does not let go
ERROR_LOG = "tracking-error.log"  # beside the journal that was given up
TABLE_FILE = "per_type_scores.json"
LOADER = "runner.tracking.mlflow_flavor"
# By which MLflow's pages know that models are trained here, and by which number runs are compared.
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "best_score",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
    **view_tags(),
}

Reply = Callable[..., None]


@functools.cache
def leave_libraries_alone() -> None:
    """Once, when MLflow has loaded all it needs: no more search for garbage among its objects.

    There are hundreds of thousands, and looking through them over and over took a third of the time that metrics take.
    """
    gc.collect()
    gc.freeze()


class RunSender:
    """One journal on its way into one MLflow run."""

    def __init__(self, journal: Path, reply: Reply, command: Mapping[str, Any]) -> None:
        """command: what `serve` was told about the journal."""
        self.reply = reply
        self._run_id: str | None = command.get("run_id")
        self._resumes = int(command.get("resumes", 0))  # how many processes before this one have followed the journal
        self._is_over = bool(command.get("over"))
        self._uri: str | None = command.get("uri")
        self._must_answer = bool(command.get("must_answer"))
        self._n_resumes_seen = 0
        self._lock = JournalLock(journal)
        self.is_done = False
        self._reader = JournalReader(journal)
        self._pending: deque[dict[str, Any]] = deque()
        self._client: MlflowClient | None = None
        self._start: dict[str, Any] = {}
        self._experiment_id = ""
        self._dev: dict[str, str] = {}  # name and digest of the dev set, for the models' metrics
        self._table: list[str] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}  # "best", "last" → rows of the per-type table
        self._tables_sent = time.monotonic()
        self._is_table_new = False
        self._models: dict[str, Any] = {}  # name → LoggedModel, once created
        self._monitor: Any = None
        self._failures = 0
        self._next_try = 0.0
        self._failing_since: float | None = None
        self._was_away = False
        self._process: str | None = None  # that has taken the run up
        self._last_time = now_ms()  # of the last event that was sent

    def wake(self) -> None:
        """The run has come to its end, or its process has: try at once."""
        self._next_try, self._failing_since = 0.0, None

    def pump(self, *, is_orphan: bool = False) -> None:
        """Send what is new. is_orphan: nothing more will be written; without a finish event the run ends KILLED."""
        now = time.monotonic()
        if self.is_done or now < self._next_try:
            return
        is_orphan = is_orphan or self._is_over
        try:
            if not self._lock.is_taken(wait=self._resumes > 0 or self._is_over):
                if self._is_over:
                    self._stop()
                    self.reply(busy=True)
                return  # the process before is not gone yet
            self._pending.extend(self._reader.read())
            if self._is_taken_over():
                return
            while self._pending:
                self._send_next()
                self.reply(sent=1)
            if is_orphan and not self.is_done:
                ended = self._last_time if self._is_over else now_ms()
                self._end("KILLED", "the training process ended without a word", ended)
            if self._is_table_new and now - self._tables_sent > TABLE_SECONDS:
                self._send_tables()
            self._failures, self._failing_since = 0, None
        except Exception as error:
            self._failed(error, is_orphan)

    def _is_taken_over(self) -> bool:
        """Whether another process goes on with this run. Forgets the ends of processes before this one."""
        resumes = [i for i, event in enumerate(self._pending) if event["event"] == "resume"]
        self._n_resumes_seen += len(resumes)
        if self._n_resumes_seen > self._resumes:
            self._stop()
            return True
        if resumes:
            self._process = self._pending[resumes[-1]].get("process")
            before, after = list(self._pending)[: resumes[-1]], list(self._pending)[resumes[-1] + 1 :]
            self._pending = deque([*(event for event in before if event["event"] not in ("finish", "resume")), *after])
        return False

    def _stop(self) -> None:
        self.is_done = True
        self._lock.release()
        forget_places([self._run_id, *(model.model_id for model in self._models.values())])

    def _send_next(self) -> None:
        event = self._pending[0]
        self._last_time = event["time"]
        if event["event"] == "start":
            self._begin(event)
        elif event["event"] in ("metrics", "evaluation"):
            self._send_metrics()
            return  # it takes several events at a time and has removed them
        elif event["event"] == "finish":
            self._finish(event)
        self._pending.popleft()

    def _begin(self, event: dict[str, Any]) -> None:
        """The run with its name and tags first, then parameters and data sets."""
        self._start = event
        self._table = list(event.get("table", []))
        uri = self._uri or event["uri"]
        with creation_lock(uri):
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._experiment_id = experiment_id(self._client, event["experiment"], self._artifact_root(event))
        if self._run_id is None or self._is_over:
            self._run_id = self._known_run(event)
        if self._run_id is None:
            tags = self._tags(event) | self._parent_tag(event)
            run = self._client.create_run(
                self._experiment_id, start_time=event["time"], run_name=event["name"], tags=tags
            )
            self._run_id = run.info.run_id
        elif not self._is_over:
            self._client.set_terminated(self.run_id, status="RUNNING")
            if self._process is not None:
                self._client.set_tag(self.run_id, PROCESS_TAG, _cut(self._process, MAX_TAG_VALUE))
        else:
            for key, value in self._parent_tag(event).items():
                self._client.set_tag(self.run_id, key, value)
        self.reply(run_id=self.run_id, experiment_id=self._experiment_id)
        leave_libraries_alone()
        params = [Param(_name(key), _cut(text, MAX_PARAM_VALUE)) for key, text in event["params"].items()]
        for start in range(0, len(params), MAX_PARAMS):
            self._client.log_batch(self.run_id, params=params[start : start + MAX_PARAMS])
        inputs = [dataset_input(dataset) for dataset in event["datasets"]]
        if inputs:
            self._client.log_inputs(self.run_id, inputs)
        dev = next(
            (one.dataset for one, info in zip(inputs, event["datasets"], strict=True) if info["split"] == "dev"), None
        )
        self._dev = {"dataset_name": dev.name, "dataset_digest": dev.digest} if dev is not None else {}
        if event.get("system_metrics") and self._monitor is None and not self._is_over:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self._monitor = SystemMetricsMonitor(self.run_id, tracking_uri=uri)
            self._monitor.start()

    def _artifact_root(self, event: Mapping[str, Any]) -> str | None:
        if self._uri is None or self._uri == event["uri"]:
            return event.get("artifact_root")
        root = artifact_root(self._uri)
        return str(root) if root is not None else None

    def _known_run(self, event: Mapping[str, Any]) -> str | None:
        """The run in this store, which an attempt before this one has made, perhaps without having heard of it."""
        key = event["tags"].get(KEY_TAG)
        found = self.client.search_runs([self._experiment_id], f"tags.{KEY_TAG} = '{key}'") if key else []
        if found:
            return str(found[0].info.run_id)
        if self._run_id is None:
            return None
        try:
            return str(self.client.get_run(self._run_id).info.run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _parent_tag(self, event: Mapping[str, Any]) -> dict[str, str]:
        """What makes the run a child of its sweep's, which another process may just be making."""
        if not (key := event.get("parent")):
            return {}
        give_up = time.monotonic() + (0.0 if self._is_over else PARENT_SECONDS)
        while True:
            found = self.client.search_runs([self._experiment_id], f"tags.{KEY_TAG} = '{key}'")
            if found:
                return {"mlflow.parentRunId": found[0].info.run_id}
            if time.monotonic() > give_up:
                return {}
            time.sleep(0.25)

    def _tags(self, event: Mapping[str, Any]) -> dict[str, str]:
        """The run's own tags, and those that MLflow's pages show in columns of their own."""
        tags = {_name(key): _cut(str(value), MAX_TAG_VALUE) for key, value in event["tags"].items()}
        known = {
            "mlflow.user": tags.get("user"),
            "mlflow.source.name": tags.get("command_line") or "runner",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": tags.get("git_commit"),
            "mlflow.source.git.branch": tags.get("git_branch"),
            "mlflow.note.content": note(event),
        }
        return {**tags, **{key: value for key, value in known.items() if value}}

    def _send_metrics(self) -> None:
        """As many events as one request takes."""
        metrics: list[Metric] = []
        events: list[dict[str, Any]] = []
        for event in self._pending:
            if event["event"] not in ("metrics", "evaluation") or len(metrics) + len(event["values"]) > MAX_METRICS:
                break
            metrics += [
                Metric(_name(key), float(value), event["time"], event["step"]) for key, value in event["values"].items()
            ]
            events.append(event)
            self._last_time = event["time"]
        assert events, "one event holds more metrics than a request takes"
        self.client.log_batch(self.run_id, metrics=metrics)
        for event in events:
            self._pending.popleft()
            if event["event"] == "evaluation":
                self._keep_tables(event)

    def _keep_tables(self, event: Mapping[str, Any]) -> None:
        self._table.append(event["table"])
        self._rows["last"] = event["per_type"]
        if event["best"] is not None:
            self._rows["best"] = event["best"]["per_type"]
        self._is_table_new = True

    def _send_tables(self) -> None:
        """The console table, and the scores by type of the best and the last evaluation."""
        self.client.log_text(self.run_id, "\n".join(self._table) + "\n", "table.txt")
        rows = [{"model": f"model-{name}", **row} for name in ("best", "last") for row in self._rows.get(name, ())]
        if rows:
            # What client.log_table writes, which appends where the file is there already.
            columns = sorted({key: None for row in rows for key in row}, key=lambda key: key == "step")
            data = [[row.get(column) for column in columns] for row in rows]
            self.client.log_dict(self.run_id, {"columns": columns, "data": data}, TABLE_FILE)
            tag = json.dumps([{"path": TABLE_FILE, "type": "table"}])
            self.client.set_tag(self.run_id, "mlflow.loggedArtifacts", tag)
        self._tables_sent = time.monotonic()
        self._is_table_new = False

    def _finish(self, event: Mapping[str, Any]) -> None:
        if event["status"] != "KILLED":  # else it may go on, and is not at its end
            values = event["values"].items()
            metrics = [Metric(_name(key), float(value), event["time"], event["step"]) for key, value in values]
            self.client.log_batch(self.run_id, metrics=metrics)
        for path in event["artifacts"]:
            self.client.log_artifact(self.run_id, str(self._here(path)))
        for model in event["models"]:
            self._send_model(model)
            if model.get("sha256"):
                self.client.set_tag(self.run_id, f"weights_sha256.{model['name']}", model["sha256"])
            self.reply(sent=1)
        self.client.set_tag(
            self.run_id, "mlflow.note.content", note(self._start, event, event.get("table") or self._table)
        )
        self._end(event["status"], event.get("error"), event["time"])

    def _here(self, path: str) -> Path:
        """A file or folder of the run; beside the journal, where both have been moved."""
        beside = self._reader.path.with_name(Path(path).name)
        return beside if beside.exists() and not Path(path).exists() else Path(path)

    def _end(self, status: str, error: str | None, end_time: int) -> None:
        """Whatever is left, then the status: a run is never left RUNNING."""
        if self._run_id is None:
            return
        if self._table and self._is_table_new:
            self._send_tables()
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None
        if error:
            self.client.set_tag(self.run_id, "error", _cut(error, MAX_TAG_VALUE))
        stale = ["error"] if not error and (self._resumes or self._is_over) else []
        for key in [*stale, "tracking_error"] if self._is_over else stale:
            with contextlib.suppress(MlflowException):  # of the interruption, if any
                self.client.delete_tag(self.run_id, key)
        self.client.set_terminated(self.run_id, status=status, end_time=end_time)
        self._note_sent(status)
        self._stop()
        self.reply(done=True, run_id=self.run_id, status=status)

    def _note_sent(self, status: str) -> None:
        """For those who look later whether MLflow has all of it."""
        uri, key = self._uri or self._start["uri"], self._start["tags"].get(KEY_TAG, "")
        if self._reader.path.is_file():  # else the folder is gone, and must not come back
            with contextlib.suppress(RunFailed, OSError):
                self._reader.path.with_name(ERROR_LOG).unlink(missing_ok=True)
                Sent(key, uri, self.run_id, status, self._reader.n_bytes).write(self._reader.path)

    def _send_model(self, event: Mapping[str, Any]) -> None:
        """A logged model: our folder as it is, the files by which MLflow knows it, and the scores of its evaluation."""
        name = event["name"]
        model = self._models.get(name) or self._known_model(name)
        if model is None:
            params = {_name(key): _cut(text, 500) for key, text in self._start["params"].items()}
            tags = {
                key: self._start["tags"][key] for key in ("data_digest", "git_commit") if key in self._start["tags"]
            }
            model = self.client.create_logged_model(
                self._experiment_id,
                name=name,
                source_run_id=self.run_id,
                params=params,
                tags=tags,
                model_type=self._start["tags"].get("component") or "runner",
            )
        self._models[name] = model
        outputs = self.client.get_run(self.run_id).outputs
        if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
            self.client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, step=event["step"])])
        with tempfile.TemporaryDirectory() as folder:
            write_mlmodel(Path(folder), model, self.run_id)
            self.client.log_model_artifacts(model.model_id, folder)
        self.client.log_model_artifacts(model.model_id, str(self._here(event["path"])), artifact_path=MODEL_FOLDER)
        metrics = [
            Metric(
                _name(key),
                float(value),
                event.get("time", self._start["time"]),
                event["step"],
                model_id=model.model_id,
                run_id=self.run_id,
                **self._dev,
            )
            for key, value in event["values"].items()
        ]
        if metrics:
            self.client.log_batch(self.run_id, metrics=metrics)
        self.client.finalize_logged_model(model.model_id, "READY")

    def _known_model(self, name: str) -> Any:
        """The logged model of that name that a process before has made for this run; None where there is none."""
        found = self.client.search_logged_models(
            [self._experiment_id], filter_string=f"source_run_id = '{self.run_id}' AND name = '{name}'"
        )
        return found[0] if found else None

    def _failed(self, error: Exception, is_orphan: bool) -> None:
        """Try again later, unless the store is of no use at first contact, or the end has come."""
        now = time.monotonic()
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        is_at_end = is_orphan or any(event["event"] == "finish" for event in self._pending)
        self._next_try = now + min(1.0 if is_at_end else 15.0, 0.25 * 2**self._failures)
        is_away = is_outage(error)
        self._was_away = self._was_away or (is_away and not self._must_answer)
        if self._run_id is None and not self._was_away:  # nothing was promised yet: better now than after hours
            is_hopeless = self._failures >= 4 or not (is_away or is_locked(error))
        else:
            patience = GIVE_UP_SECONDS if self._run_id is not None else NEVER_SEEN_SECONDS
            patience = BUSY_SECONDS if is_locked(error) else patience
            is_hopeless = is_at_end and now - self._failing_since > patience
        if is_hopeless:
            self._lost(error, is_away)
        elif is_at_end:
            self.reply(away=explained(error, self._uri or str(self._start.get("uri", "")))[0])

    def _lost(self, error: Exception, is_away: bool) -> None:
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            self._reader.path.with_name(ERROR_LOG).write_text(text, encoding="utf8")
        if not is_away:
            with contextlib.suppress(Exception):
                if self._run_id is not None:
                    self.client.set_tag(self.run_id, "tracking_error", _cut(first_line(error), MAX_TAG_VALUE))
                    finish = next((event for event in self._pending if event["event"] == "finish"), {})
                    self.client.set_terminated(self.run_id, status=finish.get("status", "KILLED"))
        self._stop()
        fact, hint = explained(error, self._uri or str(self._start.get("uri", "")))
        self.reply(error=fact, hint=hint, is_away=is_away)

    @property
    def run_id(self) -> str:
        assert self._run_id is not None, "an event before the start"
        return self._run_id

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None, "an event before the start"
        return self._client


def forget_places(ids: Iterable[str | None]) -> None:
    """Let MLflow drop what it keeps of each run and model: a thread pool and a queue, of the last thousand of them."""
    kept = getattr(mlflow.tracking._tracking_service.utils, "_artifact_repos_cache", {})
    for one in ids:
        kept.pop(one, None)


def experiment_id(client: MlflowClient, name: str, root: str | None) -> str:
    """The experiment's id; made where it is missing, with its files under `root`.

    Raises ValueError where it was deleted, and MlflowException.
    """
    known = client.get_experiment_by_name(name)
    if known is None:
        location = (Path(root) / _name(name).replace("/", "_").strip(" .")).as_uri() if root else None
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))
        except MlflowException:
            known = client.get_experiment_by_name(name)  # made by another machine in this moment
            if known is None:
                raise
    if known.lifecycle_stage != "deleted":
        for key, value in EXPERIMENT_TAGS.items():  # of an older version's experiment, or one that was made by hand
            if key not in known.tags:
                client.set_experiment_tag(known.experiment_id, key, value)
    if known.lifecycle_stage == "deleted":
        raise ValueError(f"the experiment {name!r} was deleted; `mlflow experiments restore -x {known.experiment_id}`")
    return str(known.experiment_id)


@contextlib.contextmanager
def creation_lock(uri: str) -> Iterator[None]:
    """Held by one process of this machine at a time while it opens a SQLite store: the first to open it makes it."""
    path = sqlite_path(uri)
    try:
        import fcntl
    except ImportError:  # no such locks on this system; MLflow's own waiting must do
        path = None
    if path is None:
        yield
        return
    mlflow_lock = Path(tempfile.gettempdir()) / f"runner-{os.getuid()}-{abs(hash_of(str(path))):x}.lock"
    with mlflow_lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def hash_of(text: str) -> int:
    """The same in every process, as Python's own is not."""
    import zlib

    return zlib.crc32(text.encode("utf8"))


def dataset_input(info: Mapping[str, Any]) -> DatasetInput:
    """A corpus file as MLflow's data set; its name holds the split, because MLflow merges equal names and digests."""
    name = f"{info['name']}-{info['split']}"
    dataset = Dataset(
        name=name,
        digest=info["digest"][:8],
        source_type="local",
        source=json.dumps({"uri": info["source"], "sha256": info["digest"]}),
        profile=json.dumps({"n_docs": info["n_docs"], "n_words": info["n_words"]}),
    )
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", info["split"])])


def write_mlmodel(folder: Path, model: Any, run_id: str) -> None:
    """MLmodel and the requirements, by which MLflow lists, serves and loads the model; nothing is pickled."""
    requirements = [f"declarative-runner=={__version__}"]
    described = Model(
        artifact_path=model.artifact_location, run_id=run_id, model_uuid=model.model_id, model_id=model.model_id
    )
    described.add_flavor("runner", runner_version=__version__, data=MODEL_FOLDER)
    add_to_model(described, loader_module=LOADER, data=MODEL_FOLDER, python_env="python_env.yaml")
    described.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf8")
    python = ".".join(str(part) for part in sys.version_info[:3])
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment), encoding="utf8")


EACH = "best_epoch_"  # and a component's name


def note(start: Mapping[str, Any], finish: Mapping[str, Any] | None = None, table: list[str] | None = None) -> str:
    """The run's description, in Markdown: how to get it again, and what came out."""
    lines = []
    if finish is not None and finish["best"]:
        best = finish["best"]
        each = [f"{key.removeprefix(EACH)} {best[key]:.0f}" for key in best if key.startswith(EACH)]
        at = f"epochs {', '.join(each)}" if each else f"epoch {best['best_epoch']:.0f}"
        lines += [f"Best score **{100 * best['best_score']:.2f}** at {at}.", ""]
    if finish is not None and finish.get("error"):
        lines += [f"{finish['status']}: {finish['error']}", ""]
    if start["tags"].get("command_line"):
        lines += ["```", start["tags"]["command_line"], "```"]
    if table and len(table) <= 60:
        lines += ["```", *table, "```"]
    return _cut("\n".join(lines), MAX_TAG_VALUE)


BUSY = ("database is locked", "already exists", "duplicate column name", "too many 500 error responses")
NOBODY = (
    "Max retries exceeded", "Connection refused", "Connection aborted", "Connection reset", "Remote end closed",
    "NameResolution", "timed out", "timeout exception", "IncompleteRead", "OperationalError",
    *(f"{word} {code}" for code in (429, 502, 503, 504) for word in ("too many", "error code", "HTTP")),
)  # fmt: skip


def is_locked(error: Exception) -> bool:
    """Whether SQLite was busy with another process, or that process was just making the tables."""
    return any(sign in str(error) for sign in BUSY)


def is_outage(error: Exception) -> bool:
    """Whether nobody answers, for now."""
    text = str(error)
    if isinstance(error, FileNotFoundError) or any(sign in text for sign in (*BUSY, "SSLError", "sqlite3.")):
        return False
    return isinstance(error, ConnectionError) or any(sign in text for sign in NOBODY)


def explained(error: Exception, uri: str) -> tuple[str, str | None]:
    """An error as fact and next move."""
    text = str(error)
    if is_outage(error):
        return unreachable(uri), None
    if "too many 500 error responses" in text:
        return f"the MLflow server at {uri} fails (internal error 500)", "Its own log says why."
    if "Detected out-of-date database schema" in text:
        return "the MLflow store was made by an older MLflow", f"Take a copy, then: mlflow db upgrade {uri}"
    if isinstance(error, ImportError):
        return f"the store needs a library that is not installed: {first_line(error)}", None
    return first_line(error), None


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def serve(commands: BinaryIO, replies: BinaryIO) -> None:
    """Follow every journal named on `commands` until the end of input and of all journals."""
    inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(commands, inbox), daemon=True).start()
    senders: dict[int, RunSender] = {}
    is_orphan = False
    gone_since = 0.0
    while not (is_orphan and not senders):
        try:
            command = inbox.get(timeout=(LOOK_SECONDS if senders else None) if not is_orphan else 0.1)
        except queue.Empty:
            command = {}
        if command is None:
            is_orphan, gone_since = True, time.monotonic()
            for sender in senders.values():
                sender.wake()
        elif "journal" in command:
            number = int(command["run"])
            senders[number] = RunSender(Path(command["journal"]), _replier(replies, number), command)
        elif command.get("wake") in senders:
            senders[command["wake"]].wake()
        for number, sender in list(senders.items()):
            sender.pump(is_orphan=is_orphan)
            if sender.is_done or (is_orphan and time.monotonic() - gone_since > ORPHAN_SECONDS):
                del senders[number]


def _listen(commands: BinaryIO, inbox: queue.Queue[dict[str, Any] | None]) -> None:
    for line in commands:
        with contextlib.suppress(ValueError):
            inbox.put(json.loads(line))
    inbox.put(None)


def _replier(replies: BinaryIO, number: int) -> Reply:
    def reply(**values: Any) -> None:
        with contextlib.suppress(OSError, ValueError):  # the training process is gone
            replies.write(json.dumps({"run": number, **values}).encode("utf8") + b"\n")
            replies.flush()

    return reply


def _name(key: str) -> str:
    """The key in characters that MLflow allows."""
    return "".join(char if char.isalnum() or char in "_-./ " else "_" for char in key)[:250]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for a reply
    assert mlflow.__version__
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
