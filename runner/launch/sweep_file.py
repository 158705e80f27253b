"""sweep.json: a sweep's jobs and their fingerprints, by which the same command is known when it is issued again."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.errors import RunnerError
from runner.files import read_file, write_file
from runner.launch.folders import SweepFolder
from runner.launch.results import Planned, finished, job_folder
from runner.tracking.provenance import command_line

FILE = "sweep.json"


@dataclasses.dataclass
class SweepFile:
    """A sweep's folder and its file there.

    identity: equal for equal sweeps. key: of its journal, by which the jobs' runs find its run in MLflow. is_told: whether all
    of it is in MLflow. is_again: whether an earlier command began it.
    """

    folder: Path
    identity: str
    key: str
    is_told: bool = False
    is_again: bool = False

    def write(self, jobs: Sequence[Planned]) -> None:
        """Raises RunFailed where the system refuses."""
        about = {"fingerprint": self.identity, "key": self.key, "is_told": self.is_told, "command": command_line()}
        about["jobs"] = [dataclasses.asdict(job) for job in jobs]
        write_file(self.folder / FILE, json.dumps(about, indent=1) + "\n")


def digest(parts: Iterable[str]) -> str:
    """An identity: 16 hexadecimal digits of what tells a sweep from others."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def opened(place: SweepFolder, identity: str, *, is_forced: bool) -> SweepFile:
    """The file of the same sweep where it was begun before, the last touched of several; else a new one, not yet written.

    Raises RunnerError where the folder holds another sweep.
    """
    if is_forced:
        return SweepFile(place.path, identity, uuid.uuid4().hex)
    same = [(path, about) for path, about in _sweeps(place.earlier) if about.get("fingerprint") == identity]
    if same:
        path, about = max(same, key=lambda sweep: (sweep[0].stat().st_mtime, sweep[0]))
        return SweepFile(path.parent, identity, str(about["key"]), bool(about.get("is_told")), is_again=True)
    if (place.path / FILE).exists():
        raise RunnerError(
            "this folder holds another sweep",
            place=str(place.path),
            hint="Give another output_dir, or force=true to overwrite it.",
        )
    return SweepFile(place.path, identity, uuid.uuid4().hex)


def finished_jobs(earlier: str) -> dict[str, Path]:
    """Fingerprint → the folder of a job that has finished, in the sweeps of folders of that glob pattern."""
    folders = {}
    for path, about in _sweeps(earlier):
        jobs = about.get("jobs")
        for job in jobs if isinstance(jobs, list) else []:
            folder = job_folder(path.parent, job["number"])
            if fingerprint := finished(folder):
                folders[fingerprint] = folder
    return folders


def _sweeps(earlier: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each readable sweep.json in folders of that glob pattern, and its content."""
    for path in map(Path, sorted(glob.glob(os.path.join(earlier, FILE)))):
        try:
            about = json.loads(read_file(path))
        except (OSError, ValueError):
            continue
        if isinstance(about, dict):
            yield path, about
