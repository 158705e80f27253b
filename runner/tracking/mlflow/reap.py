"""Runs that MLflow shows as RUNNING though their process is gone: find them, and close them.

Only runs that say which process trains them, and only those of this machine; where there is a doubt (another machine, a
process id of another container, a journal that is being sent) a run is left as it is. MLflow is imported when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import RunnerError
from runner.tracking.journal import FILE_NAME, KEY_TAG, read_journal
from runner.tracking.mlflow.reach import answers, unreachable
from runner.tracking.mlflow.status import SyncStatus
from runner.tracking.mlflow.store import client_of
from runner.tracking.mlflow.sync import Journal, is_held, look, process_of, send
from runner.tracking.process import PROCESS_TAG, is_gone

if TYPE_CHECKING:
    from mlflow.entities import Run

ERROR = "the training process ended without a word"
PAGE = 500  # runs a request


@dataclass(frozen=True)
class Abandoned:
    """A run without a process. journal: None where there is none on this disk."""

    run_id: str
    name: str
    journal: Path | None


class Reaper:
    """The runs of one MLflow store. Raises RunnerError where nobody answers, or there is no store."""

    def __init__(self, uri: str) -> None:
        if not answers(uri):
            raise RunnerError(unreachable(uri), place="--uri", hint="Start it, or name another store.")
        try:
            self._client, self.uri = client_of(uri)
        except RunnerError as error:
            raise error.at("--uri") from None

    def abandoned(self, experiment: str | None = None) -> Iterator[Abandoned]:
        """Runs to close. experiment: of this one alone. Raises RunnerError."""
        from mlflow.exceptions import MlflowException

        try:
            for run in self._running(experiment):
                abandoned = _abandoned(run)
                if abandoned is not None:
                    yield abandoned
        except MlflowException as error:
            raise RunnerError(str(error).splitlines()[0][:300], place="--uri") from error

    def close(self, run: Abandoned) -> SyncStatus | None:
        """Send what MLflow lacks of the run, and end it as its journal says, else as KILLED; None if another process does."""
        if run.journal is not None:
            journal = look(run.journal, self.uri)
            return send(Journal(run.journal, "unsent", self.uri, journal.key, run.run_id, journal.n_resumes))
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_tag(run.run_id, "error", ERROR)
            self._client.set_terminated(run.run_id, status="KILLED")
        except MlflowException as error:
            return SyncStatus("", self.uri, run.run_id, error=str(error).splitlines()[0][:300])
        return SyncStatus("", self.uri, run.run_id, status="KILLED")

    def _running(self, experiment: str | None) -> list[Run]:
        """List all RUNNING runs before the first is closed: pages shift when runs leave the list."""
        name = f"name = '{experiment}'" if experiment is not None else None
        experiments = [one.experiment_id for one in _pages(self._client.search_experiments, filter_string=name)]
        if experiment is not None and not experiments:
            raise RunnerError("there is no such experiment", place=f"--experiment {experiment}")
        running: list[Run] = []
        for start in range(0, len(experiments), PAGE):
            running += _pages(
                self._client.search_runs,
                experiment_ids=experiments[start : start + PAGE],
                filter_string="attributes.status = 'RUNNING'",
            )
        return running


def _pages(search: Any, **about: Any) -> list[Any]:
    """All results of a search that MLflow answers in pages."""
    results: list[Any] = []
    token = None
    while True:
        page = search(**about, max_results=PAGE, page_token=token)
        results += page
        token = page.token
        if not token:
            return results


def _abandoned(run: Run) -> Abandoned | None:
    """The run as one to close; None if it has a process, or may have one."""
    tags = run.data.tags
    if is_gone(tags.get(PROCESS_TAG)) is not True:
        return None
    journal = Path(tags["output_dir"]) / FILE_NAME if "output_dir" in tags else None
    try:
        events = read_journal(journal) if journal is not None else []
    except OSError:
        events = []
    if journal is None or not events or events[0].get("tags", {}).get(KEY_TAG) != tags.get(KEY_TAG):
        return Abandoned(run.info.run_id, run.info.run_name, None)
    if is_held(journal) or is_gone(process_of(events)) is not True:  # resumed, or still being sent
        return None
    return Abandoned(run.info.run_id, run.info.run_name, journal)
