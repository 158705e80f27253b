"""What a multirun tells each of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Ticket:
    """What a multirun tells each of its jobs; sent to other processes and machines."""

    key: str  # names the multirun's own run
    folder: Path  # of the multirun
    names: Mapping[int, str]  # job → its overrides that differ between jobs
    done: Mapping[int, Path] = field(default_factory=dict)  # job → folder of an earlier run of the same job
    fail_fast: bool = False
    study: Path | None = None  # of a search with a pruner
    n_jobs: int = 0  # in all

    @property
    def stop_file(self) -> Path:
        """Exists once the multirun was interrupted: no further job begins."""
        return self.folder / ".interrupted"
