"""`RunSender`: one journal on its way into one MLflow run.

Everything sent can be sent again without harm: the run is known by its tag, metrics carry the journal's time stamps, files
and tags are overwritten. What is wrong with the store at first contact is fatal; a server that goes away is tried again
until the run has ended, and then for a few seconds: the journal stays, and `python -m runner sync` sends it.
"""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from runner.errors import RunFailed
from runner.secrets import learn, learn_environment, masked, masked_all
from runner.tracking.journal import ERROR_LOG, KEY_TAG, JournalLock, JournalReader, Sent, now_ms
from runner.tracking.mlflow.entities import (
    creation_lock,
    dataset_input,
    experiment_id,
    forget_places,
    leave_libraries_alone,
    note,
)
from runner.tracking.mlflow.errors import explained, first_line, is_locked, is_outage
from runner.tracking.mlflow.limits import MAX_METRICS, MAX_PARAM_VALUE, MAX_PARAMS, MAX_TAG_VALUE, clean_name, cut
from runner.tracking.mlflow.models import known_model, log_model, new_model
from runner.tracking.mlflow.moved import follow_moved_files, is_same_store, refuse_lost_store
from runner.tracking.mlflow.store import artifact_root
from runner.tracking.past_run import weights_sha256
from runner.tracking.process import PROCESS_TAG

TABLE_SECONDS = 15.0  # between two uploads of the growing tables
PARENT_SECONDS = 20.0  # that a sweep's job waits for the sweep's own run
GIVE_UP_SECONDS = 10.0  # of failed attempts after the run's end, or when the training process is gone
BUSY_SECONDS = 30.0  # the same, of a SQLite store that other processes keep busy
NEVER_SEEN_SECONDS = 2.0  # the same, where it has not answered even once
TABLE_FILE = "per_type_scores.json"

Reply = Callable[..., None]


class RunSender:
    """One journal on its way into one MLflow run."""

    def __init__(self, journal: Path, reply: Reply, command: Mapping[str, Any]) -> None:
        """command: what `serve` was told about the journal."""
        self.reply = reply
        self._run_id: str | None = command.get("run_id")
        self._resumes = int(command.get("resumes", 0))  # how many processes before this one have followed the journal
        self._is_over = bool(command.get("over"))
        self._uri: str | None = command.get("uri")
        learn_environment()
        learn(self._uri)
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
        self._new_tags: dict[str, str] = {}  # of the process that has taken the run up
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
            last = self._pending[resumes[-1]]
            process = {PROCESS_TAG: last["process"]} if last.get("process") else {}
            self._new_tags = {**(last.get("tags") or {}), **process}
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
        refuse_lost_store(uri)
        with creation_lock(uri, lambda what: self.reply(waits=what)):
            follow_moved_files(uri)
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._experiment_id = experiment_id(
                self._client, event["experiment"], self._artifact_root(event), event.get("scores", ())
            )
        if self._run_id is None or self._is_over or not is_same_store(uri, event["uri"]):
            self._run_id = self._known_run(event)
        if self._run_id is None:
            tags = self._tags(event) | self._parent_tag(event)
            run = self._client.create_run(
                self._experiment_id, start_time=event["time"], run_name=event["name"], tags=tags
            )
            self._run_id = run.info.run_id
        elif not self._is_over:
            self._client.set_terminated(self.run_id, status="RUNNING")
            for key, value in self._new_tags.items():
                self._client.set_tag(self.run_id, key, cut(str(value), MAX_TAG_VALUE))
        else:
            for key, value in self._parent_tag(event).items():
                self._client.set_tag(self.run_id, key, value)
        self.reply(run_id=self.run_id, experiment_id=self._experiment_id)
        leave_libraries_alone()
        params = [Param(clean_name(key), cut(text, MAX_PARAM_VALUE)) for key, text in event["params"].items()]
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
        if self._uri is None or event["uri"] in (self._uri, masked_all(self._uri)):
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
        tags = {clean_name(key): cut(str(value), MAX_TAG_VALUE) for key, value in event["tags"].items()}
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
                Metric(clean_name(key), float(value), event["time"], event["step"])
                for key, value in event["values"].items()
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
            metrics = [Metric(clean_name(key), float(value), event["time"], event["step"]) for key, value in values]
            self.client.log_batch(self.run_id, metrics=metrics)
        for path in event["artifacts"]:
            self.client.log_artifact(self.run_id, str(self._here(path)))
        for model in event["models"]:
            name = model["name"]
            kept = self._models.get(name) or known_model(self.client, self._experiment_id, self.run_id, name)
            kept = kept or new_model(self.client, self._experiment_id, self.run_id, name, self._start)
            self._models[name] = kept
            folder = self._here(model["path"])
            if model.get("sha256") and weights_sha256(folder) != model["sha256"]:
                raise ValueError(f"{folder} is not the model that this run made, and was not sent")
            log_model(self.client, self.run_id, kept, model, folder, self._start["time"], self._dev)
            if model.get("sha256"):
                self.client.set_tag(self.run_id, f"weights_sha256.{model['name']}", model["sha256"])
            self.reply(sent=1)
        self.client.set_tag(
            self.run_id, "mlflow.note.content", note(self._start, event, event.get("table") or self._table)
        )
        self._end(event["status"], event.get("error"), event["time"])

    def _here(self, path: str) -> Path:
        """A file or folder of the run; beside the journal, where both have been moved.

        A journal may come from a stranger: what lies outside its folder, or leads out of it, is never sent.
        Raises ValueError where there is none such, or it holds a link.
        """
        folder = self._reader.path.parent.resolve()
        inside = folder / Path(path).name
        found = Path(path) if Path(path).exists() and Path(path).resolve().is_relative_to(folder) else inside
        if not found.resolve().is_relative_to(folder) or any(one.is_symlink() for one in found.rglob("*")):
            raise ValueError(f"{found} leads out of the run's folder, and was not sent")
        if not found.exists():
            raise ValueError(f"{found} is not there")
        return found

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
            self.client.set_tag(self.run_id, "error", cut(error, MAX_TAG_VALUE))
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
            text = masked("".join(traceback.format_exception(error)))
            self._reader.path.with_name(ERROR_LOG).write_text(text, encoding="utf8")
        if not is_away:
            with contextlib.suppress(Exception):
                if self._run_id is not None:
                    self.client.set_tag(self.run_id, "tracking_error", cut(first_line(error), MAX_TAG_VALUE))
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
