"""A tracking server that refuses connections for a while, `sync`, and `reap`.

The server is MLflow's own application behind a listener in this process that is closed and opened again: to a client a
server that is not there. One that is killed in the midst of requests: python -m tests.stress.outages.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.__main__ import main
from runner.errors import RunnerError
from runner.tracking.base import RunEnd
from runner.tracking.journal import FILE_NAME, KEY_TAG, JournalLock, JournalWriter, read_journal
from runner.tracking.mlflow.tracker import MlflowTracker
from runner.tracking.process import this_process
from tests.stress.outages import free_port
from tests.tracking.conftest import make_models, make_run, three_steps

pytestmark = pytest.mark.mlflow

ABANDONED = """
import os, signal, sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from conftest import make_run, three_steps
from runner.tracking.mlflow.tracker import MlflowTracker
tracker = MlflowTracker({uri!r})
tracker.start(make_run(Path({output_dir!r}), name="abandoned"))
first, *rest = three_steps()
tracker.record(first)
while tracker.run_id is None:
    time.sleep(0.05)
    tracker._delivery.look()
os.kill(tracker._delivery.follower.pid, signal.SIGKILL)
for step in rest:
    tracker.record(step)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Front:
    """MLflow's application at an address that can be closed and opened."""

    def __init__(self, app: Any, artifacts: Path) -> None:
        self._app = app
        self.artifacts = artifacts
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self._server: Any = None
        self._thread = threading.Thread()

    def open(self) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                pass

        self._server = make_server("127.0.0.1", self._port, self._app, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()  # it closes the socket
            self._server = None


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for key, value in {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        }.items():
            patch.setenv(key, value)
        from mlflow.server import app

        found = Front(app, folder / "artifacts")
        yield found
        found.close()


@pytest.fixture(scope="module")
def client(front: Front) -> Any:
    import mlflow

    return mlflow.MlflowClient(tracking_uri=front.uri)


@pytest.fixture
def closed(front: Front) -> Front:
    front.close()
    return front


@pytest.fixture
def opened(front: Front) -> Front:
    front.close()
    front.open()
    return front


def command(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


def steps_of(client: Any, run_id: str, key: str = "train/loss") -> list[int]:
    return [metric.step for metric in client.get_metric_history(run_id, key)]


def only_run(client: Any, name: str) -> Any:
    experiment = client.get_experiment_by_name("runner")
    (run,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    return run


def test_nobody_answers_at_the_start(closed: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    code, _, err = command("training=debug", f"tracking.uri={closed.uri}")
    assert code == 2
    assert time.monotonic() - began < 5.0
    assert err.splitlines() == [
        f"tracking.uri: no MLflow server answers at {closed.uri}",
        "  Start it, set tracking.uri=sqlite:///mlflow.db, or train and send later: tracking.if_unreachable=offline",
    ]
    assert not list(tmp_path.rglob("*.jsonl"))


@pytest.mark.slow
def test_offline_then_sync(closed: Front, client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "offline"
    tracker = MlflowTracker(closed.uri, if_unreachable="offline")
    tracker.start(make_run(folder, name="offline"))
    for step in three_steps():
        tracker.record(step)
    (folder / "summary.json").write_text('{"run_id": null, "status": "FINISHED"}')
    assert tracker.finish(RunEnd("FINISHED", None, make_models(folder))) is None
    first, second, third, fourth = capsys.readouterr().err.splitlines()
    assert first.endswith("until one does, the run is kept in its own folder")
    assert second == "  Sent when the server is back, or later: python -m runner sync"
    assert third.startswith(
        f"tracking.uri: not everything reached MLflow, but {folder} has it: no MLflow server answers"
    )
    assert fourth == f"  To send the rest: python -m runner sync {folder}"
    assert command("sync", str(tmp_path))[:2] == (1, (
        f"{folder}: not sent: no MLflow server answers at {closed.uri}\n0 sent, 1 not sent, 0 left alone, 0 already there\n"
    ))  # fmt: skip

    closed.open()
    code, out, _ = command("sync", str(tmp_path))
    run = only_run(client, "offline")
    assert (code, out.splitlines()[0]) == (0, f"{folder}: sent: run {run.info.run_id}, FINISHED")
    assert run.info.status == "FINISHED"
    assert run.info.start_time == read_journal(folder / FILE_NAME)[0]["time"]
    assert (steps_of(client, run.info.run_id), steps_of(client, run.info.run_id, "dev/ents_f")) == ([1, 2, 3], [2, 3])
    assert {client.get_logged_model(one.model_id).name for one in run.outputs.model_outputs} == {
        "model-best",
        "model-last",
    }
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"config.yaml", "table.txt"}
    assert json.loads((folder / "summary.json").read_text())["run_id"] == run.info.run_id

    closed.close()  # what is known to be there is not asked for
    assert command("sync", str(tmp_path))[:2] == (0, "0 sent, 0 not sent, 0 left alone, 1 already there\n")
    closed.open()
    (folder / "synced.json").unlink()  # and if it is asked for, nothing is doubled
    assert command("sync", str(tmp_path))[0] == 0
    again = only_run(client, "offline")
    assert steps_of(client, again.info.run_id) == [1, 2, 3]
    assert len(again.outputs.model_outputs) == 2


def test_lost_while_training_and_back_before_the_end(opened: Front, client: Any, tmp_path: Path) -> None:
    tracker = MlflowTracker(opened.uri)
    tracker.start(make_run(tmp_path / "out", name="lost"))
    first, *rest = three_steps()
    tracker.record(first)
    wait_for_run(tracker)
    opened.close()
    began = time.monotonic()
    for step in rest:
        tracker.record(step)
    assert time.monotonic() - began < 0.5
    threading.Timer(1.0, opened.open).start()
    assert tracker.finish(RunEnd("FINISHED", None, make_models(tmp_path / "out"))) == tracker.run_id
    run = only_run(client, "lost")
    assert (run.info.run_id, run.info.status) == (tracker.run_id, "FINISHED")
    assert steps_of(client, run.info.run_id) == [1, 2, 3]
    assert command("sync", str(tmp_path))[:2] == (0, "0 sent, 0 not sent, 0 left alone, 1 already there\n")


def test_lost_and_interrupted(opened: Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracker = MlflowTracker(opened.uri)
    tracker.start(make_run(tmp_path / "out", name="interrupted"))
    wait_for_run(tracker)
    opened.close()
    began = time.monotonic()
    assert tracker.finish(RunEnd("KILLED", "interrupted")) == tracker.run_id
    assert time.monotonic() - began < 5.0
    assert f"To send the rest: python -m runner sync {tmp_path / 'out'}" in capsys.readouterr().err
    code, out, _ = command("sync", str(tmp_path))  # the process that sends is still at it
    assert (code, out.splitlines()[0]) == (0, f"{tmp_path / 'out'}: left alone: it is still being trained or sent")


def wait_for_run(tracker: MlflowTracker) -> None:
    assert tracker._delivery is not None
    for _ in range(600):
        time.sleep(0.05)
        tracker._delivery.look()
        if tracker.run_id is not None:
            return
    raise AssertionError("no run")


class TestReap:
    @pytest.fixture
    def abandoned(self, opened: Front, tmp_path: Path) -> Path:
        """A run whose process and the one that sends were killed, with two steps that MLflow has not got."""
        folder = tmp_path / "abandoned"
        script = ABANDONED.format(
            paths=[str(Path(runner.__file__).parent.parent), str(Path(__file__).parent.parent / "tracking")],
            uri=opened.uri,
            output_dir=str(folder),
        )
        ended = subprocess.run([sys.executable, "-c", script], check=False)
        assert ended.returncode == -signal.SIGKILL
        return folder

    def test_only_those_whose_process_is_gone(self, abandoned: Path, opened: Front, client: Any) -> None:
        mine = json.loads(this_process())
        experiment = client.get_experiment_by_name("runner").experiment_id
        others = {
            "alive": this_process(),
            "on another machine": json.dumps({**mine, "host": "elsewhere", "began": "1"}),
            "its id was given to another": json.dumps({**mine, "began": "1"}),
            "older than the tag": None,
        }
        for name, process in others.items():
            client.create_run(experiment, run_name=name, tags={"process": process} if process else {})
        reap = ("reap", "--uri", opened.uri)
        code, out, _ = command(*reap, "--dry-run")
        assert (code, len(out.splitlines()), out.splitlines()[-1]) == (0, 3, "2 to close, 0 not closed")
        assert only_run(client, "abandoned").info.status == "RUNNING"

        code, out, _ = command(*reap, "--experiment", "runner")
        run = only_run(client, "abandoned")
        assert code == 0
        assert f"{run.info.run_id} abandoned: KILLED" in out
        assert run.info.status == "KILLED"
        assert run.info.end_time == read_journal(abandoned / FILE_NAME)[-1]["time"]
        assert steps_of(client, run.info.run_id) == [1, 2, 3]
        statuses = {name: only_run(client, name).info.status for name in others}
        assert statuses == {**dict.fromkeys(others, "RUNNING"), "its id was given to another": "KILLED"}
        assert command(*reap)[:2] == (0, "0 closed, 0 not closed\n")
        assert command("sync", str(abandoned))[1] == "0 sent, 0 not sent, 0 left alone, 1 already there\n"


def test_what_cannot_be_reaped(closed: Front, tmp_path: Path) -> None:
    code, _, err = command("reap", "--uri", closed.uri)
    assert (code, err.splitlines()[0]) == (2, f"--uri: no MLflow server answers at {closed.uri}")
    code, _, err = command("reap", "--uri", f"sqlite:///{tmp_path}/none.db")
    assert (code, err.splitlines()[0]) == (2, f"--uri: there is no MLflow store at {tmp_path}/none.db")


@pytest.mark.parametrize("way", ["a file elsewhere", "a link", "a link in a folder"])
def test_nothing_outside_the_folder_is_ever_sent(opened: Front, tmp_path: Path, way: str) -> None:
    """A run's folder from a stranger: its journal names what is to be sent, and where to."""
    secret = tmp_path / "secret"
    secret.write_text("password")
    folder = tmp_path / "stranger"
    tracker = MlflowTracker(opened.uri)
    tracker.start(make_run(folder, name=way))
    models = make_models(folder)
    tracker.record(three_steps()[0])
    tracker.finish(RunEnd("FINISHED"))
    (folder / "synced.json").unlink()
    if way == "a link":
        (folder / "config.yaml").unlink()
        (folder / "config.yaml").symlink_to(secret)
    elif way == "a link in a folder":
        (models["model-best"] / "notes").symlink_to(secret)
    path = folder / FILE_NAME
    *events, end = [json.loads(line) for line in path.read_text().splitlines()]
    end |= {"status": "FINISHED", "artifacts": [str(secret if way == "a file elsewhere" else folder / "config.yaml")]}
    end["models"] = [{"name": "model-best", "path": str(models["model-best"]), "step": 1, "values": {}, "time": 1}]
    path.write_text("".join(json.dumps(event) + "\n" for event in [*events, end]))
    code, out, _ = command("sync", str(folder))
    assert (code, out.splitlines()[-1]) == (1, "0 sent, 1 not sent, 0 left alone, 0 already there")
    assert "secret" in out if way == "a file elsewhere" else "leads out of the run's folder, and was not sent" in out
    sent = [file.read_bytes() for file in opened.artifacts.rglob("*") if file.is_file()]
    assert not any(b"password" in content for content in sent)


class TestLeftAlone:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> JournalWriter:
        return JournalWriter(tmp_path / "out" / FILE_NAME)

    def begin(self, journal: JournalWriter, process: str) -> None:
        journal.event("start", uri="http://127.0.0.1:1", tags={KEY_TAG: "k"}, process=process)

    def test_a_run_that_is_trained(self, journal: JournalWriter, tmp_path: Path) -> None:
        self.begin(journal, this_process())
        code, out, _ = command("sync", str(tmp_path))
        assert (code, out) == (0, (
            f"{tmp_path / 'out'}: left alone: it is still being trained or sent\n"
            "0 sent, 0 not sent, 1 left alone, 0 already there\n"
        ))  # fmt: skip

    def test_a_run_that_is_trained_again(self, journal: JournalWriter, tmp_path: Path) -> None:
        self.begin(journal, json.dumps({**json.loads(this_process()), "began": "1"}))
        journal.event("finish", status="KILLED")
        assert "1 not sent" in command("sync", str(tmp_path))[1]
        journal.event("resume", step=3, process=this_process())
        assert "1 left alone" in command("sync", str(tmp_path))[1]

    def test_a_run_that_another_process_sends(self, journal: JournalWriter, tmp_path: Path) -> None:
        self.begin(journal, this_process())
        journal.event("finish", status="FINISHED")
        lock = JournalLock(journal.path)
        assert lock.is_taken(wait=True)
        assert "1 left alone" in command("sync", str(tmp_path))[1]
        lock.release()
        assert "1 not sent" in command("sync", str(tmp_path))[1]

    def test_a_run_of_another_machine_without_an_end(self, journal: JournalWriter, tmp_path: Path) -> None:
        self.begin(journal, json.dumps({**json.loads(this_process()), "host": "elsewhere"}))
        assert "begun where this machine cannot look" in command("sync", str(tmp_path))[1]

    def test_a_journal_in_which_nothing_began(self, journal: JournalWriter, tmp_path: Path) -> None:
        assert command("sync", str(tmp_path))[:2] == (0, "0 sent, 0 not sent, 0 left alone, 0 already there\n")


@pytest.mark.parametrize(("words", "said"), [
    (("sync", "nowhere"), "nowhere: there is no such folder"),
    (("sync", "--what"), "command line: unrecognized arguments: --what"),
    (("sync", "--uri", "ftp://x"), "tracking.uri: unknown kind of store 'ftp'"),
    (("reap", "--uri", "ftp://x"), "tracking.uri: unknown kind of store 'ftp'"),
])  # fmt: skip
def test_refused(words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = command(*words)
    assert (code, err.splitlines()[0]) == (2, said)


@pytest.mark.parametrize("name", ["sync", "reap"])
def test_help(name: str) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"python -m runner {name}" in out


def test_an_unusable_address_is_no_outage(tmp_path: Path) -> None:
    """Whatever if_unreachable says: a store that cannot be understood is the user's to mend."""
    with pytest.raises(RunnerError, match="plain folders"):
        MlflowTracker(str(tmp_path), if_unreachable="offline")
