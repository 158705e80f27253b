"""synced.json, the status file beside a journal: how far MLflow has the run. The sender writes it, others read it.

    {"key": …, "uri": …, "task": …, "run_id": …, "experiment_id": …, "progress": 7}   the run is being sent
    {…, "note": "waiting for …"}                 the sender waits for another process
    {…, "away": "no MLflow server answers …"}    at the run's end: an attempt failed, another will follow
    {…, "error": …, "hint": …, "is_away": true}  the sender gave up; is_away: nobody answers
    {…, "registered": "Registered as …"}         with the next: the model is in the registry
    {…, "status": "FINISHED", "n_bytes": …}      MLflow has the first n_bytes of the journal, and the run's end

The file is replaced as a whole, holds no secrets, and has one writer: the process that sends the journal. It stays when the
run has ended, so that a later look needs no MLflow. Keys that are not known yet are left out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from runner.files import read_file, write_file
from runner.secrets import masked_all
from runner.tracking.journal import SENT_NAME


@dataclass(frozen=True)
class SyncStatus:
    """What synced.json holds."""

    key: str  # of the journal, see KEY_TAG
    uri: str  # of the store, without user and password
    run_id: str | None = None
    status: str | None = None  # of the run in MLflow, once MLflow has all of it
    n_bytes: int = 0  # of the journal, as it was then
    experiment_id: str | None = None
    task: str = ""  # the sender's task (Task.name), by which whoever gave the task knows the answer
    progress: int = 0  # grows with everything that is sent after the run's end
    registered: str | None = None  # what became of the model in the registry, in a line
    note: str | None = None
    away: str | None = None
    error: str | None = None
    hint: str | None = None
    is_away: bool = False

    def write(self, journal: Path) -> None:
        """Replace the status file beside that journal. Raises RunFailed where the system refuses."""
        told = {key: value for key, value in asdict(self).items() if value not in (None, False)}
        write_file(status_path(journal), json.dumps(masked_all(told)) + "\n")

    def is_of(self, key: str, uri: str, n_bytes: int) -> bool:
        """Whether the store has all of a journal with that key and length."""
        is_same = (self.key, masked_all(self.uri)) == (key, masked_all(uri))
        return self.status is not None and is_same and self.n_bytes >= n_bytes


def status_path(journal: Path) -> Path:
    """Where the status of a journal is kept."""
    return journal.with_name(SENT_NAME)


def read_status(journal: Path) -> SyncStatus | None:
    """The status of a journal; None where there is none, or it cannot be read."""
    known = {field.name for field in fields(SyncStatus)}
    try:
        content = json.loads(read_file(status_path(journal)))
        status = SyncStatus(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return status if isinstance(status.n_bytes, int) else None
