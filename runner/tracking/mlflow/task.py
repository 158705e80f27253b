"""`Task`: one journal to be sent, and all that the journal itself does not say about it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True)
class Task:
    """A journal, and the store that it is sent to."""

    journal: Path  # absolute
    uri: str  # with user and password, which the journal does not have: no task is ever written to a file
    run_id: str | None = None  # of the run in MLflow, where it is known
    n_resumes: int = 0  # processes that were interrupted before the one that writes the journal now
    must_answer: bool = False  # a store that does not answer at first contact is an error
    is_over: bool = False  # nobody writes to the journal any more
    name: str = field(default_factory=lambda: uuid4().hex)  # by which the answer is known, see SyncStatus.task

    def as_line(self) -> bytes:
        """The task as a line of JSON."""
        return json.dumps({**asdict(self), "journal": str(self.journal)}).encode("utf8") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Task:
        """The task that `as_line` has written."""
        values = json.loads(line)
        return cls(**{**values, "journal": Path(values["journal"])})
