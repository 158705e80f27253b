"""The run's journal: one JSON object a line, only ever appended. All that MLflow should hold of the run stands in it.

    {"event":"start","name":…,"experiment":…,"uri":…,"time":ms,"params":{…},"tags":{…},"datasets":[…],"table":[…],
     "process":…}
    {"event":"metrics","step":1,"time":ms,"values":{"train/loss":…}}
    {"event":"evaluation","step":9,"time":ms,"values":{…},"table":"…","per_type":[{…}],
     "best":null or {"values":{…},"epochs":{…},"per_type":[{…}]}}
    {"event":"run","run_id":…}
    {"event":"resume","step":7,"process":…,"uri":…}    a new process goes on from step 7, after an interruption
    {"event":"finish","time":ms,"status":…,"error":…,"step":9,"values":{…},"best":{…},"models":[{…}],"artifacts":[{…}]}

The steps of a tenth of a second are written together, every other event at once; `flush` writes all. A process that is
killed loses at most the steps of its last tenth of a second, none of which a checkpoint holds. The last line may be cut in
half; readers wait for its end. Metrics that a version before their groups has written are read under their present
names, see metric_names.py. nan and inf, for which JSON has no word, are written as NaN and Infinity, as Python does.
Nothing here knows MLflow.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from runner.errors import RunFailed
from runner.files import check_file, open_file, take_lock
from runner.secrets import masked_all
from runner.tracking.metric_names import renamed_event

FILE_NAME = "journal.jsonl"
WRITE_SECONDS = 0.1  # that a step's line may wait for others
SENT_NAME = "synced.json"  # beside a journal: how far MLflow has it, see mlflow/status.py
ERROR_LOG = "tracking-error.log"  # beside a journal that was given up
KEY_TAG = "journal"  # the tag whose value tells one journal's run from all others

# The keys that an event must have, and their types; lines without them (of a damaged journal) are passed over.
_SHAPES: dict[str, dict[str, type]] = {
    "start": {"uri": str, "tags": dict},
    "run": {"run_id": str},
    "metrics": {"step": int, "time": int, "values": dict},
    "evaluation": {"step": int, "time": int, "values": dict},
    "finish": {"status": str},
}


class JournalWriter:
    """Appends events to a journal.

    Raises RunFailed where the system refuses (full disk, no permission).
    """

    def __init__(self, path: Path, *, is_new: bool = True) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_new else 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_file(path)
            self._file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(path)) from error
        self._heads: dict[tuple[str, ...], str] = {}
        self._waiting: list[str] = []  # lines of steps
        self._written = 0.0  # when the last line was written, seconds
        if not is_new and _ends_in_half_a_line(path):
            self._write("\n")

    @property
    def is_closed(self) -> bool:
        return self._file < 0

    def event(self, kind: str, /, **values: Any) -> None:
        """Write any event without its secrets; its time is now where none is given."""
        event = {"event": kind, "time": now_ms(), **masked_all(values)}
        self._write(json.dumps(event, default=str) + "\n")

    def metrics(self, step: int, keys: tuple[str, ...], values: Iterable[float]) -> None:
        """Write the metrics of one step. Hot path: the text around the numbers is made once for each set of keys."""
        head = self._heads.get(keys)
        if head is None:
            inner = ",".join(json.dumps(key).replace("%", "%%") + ":%r" for key in keys)
            text = '{"event":"metrics","step":%d,"time":%d,"values":{' + inner
            head = self._heads[keys] = text + "}}\n"
        numbers = [float(value) for value in values]
        total = sum(numbers)
        if total - total == 0.0:  # all finite
            now = time.time()
            self._waiting.append(head % (step, int(now * 1000), *numbers))
            if not 0 <= now - self._written < WRITE_SECONDS:
                self._written = now
                self._write("")
        else:
            self.event("metrics", step=step, values=dict(zip(keys, numbers, strict=True)))

    def flush(self) -> None:
        """Write everything down to the disk."""
        if not self.is_closed:
            self._write("")
            try:
                os.fsync(self._file)
            except OSError as error:
                raise RunFailed(f"cannot write: {error.strerror}", place=str(self.path)) from error

    def close(self) -> None:
        if not self.is_closed:
            self._write("")
            os.close(self._file)
            self._file = -1

    def _write(self, line: str) -> None:
        """Write the lines that wait, then this line."""
        data = "".join([*self._waiting, line]).encode("utf8")
        self._waiting = []
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise RunFailed(f"cannot write: {error.strerror}", place=str(self.path)) from error


class JournalReader:
    """Follows a journal while it grows: each call of `read` gives the events that became complete since the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bytes = 0  # read so far
        self._file: tuple[int, int] | None = None  # device and inode

    def read(self) -> list[dict[str, Any]]:
        """Events that became complete since the last call; a line without its end is left for later.

        If another run's journal has taken the place of the one that was read first, the list stays empty.

        Raises OSError where the file cannot be read.
        """
        with open_file(self.path) as file:
            about = os.fstat(file.fileno())
            self._file = self._file or (about.st_dev, about.st_ino)
            if self._file != (about.st_dev, about.st_ino):
                return []
            file.seek(self.n_bytes)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self.n_bytes += end
        return list(parse_events(data[:end].splitlines()))

    def is_in_place(self) -> bool:
        """Whether the journal that was read still stands at its path, and not another run's or none."""
        try:
            about = self.path.stat()
        except OSError:
            return False
        return self._file == (about.st_dev, about.st_ino)


class JournalLock:
    """A lock held by the process that sends a journal; the system lets go of it when that process ends."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._file: BinaryIO | None = None

    def is_taken(self, *, wait: bool) -> bool:
        """Try to take the lock; whether to go on. wait: True only with the lock, False also while another process has it."""
        if self._file is not None:
            return True
        file = open_file(self._path)
        with suppress(OSError):  # a file system without locks
            if not take_lock(file.fileno()):
                file.close()
                return not wait
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All complete events of a journal."""
    return JournalReader(path).read()


def flatten(config: Mapping[str, Any]) -> dict[str, str]:
    """Nested config → parameters: keys joined by dots, values as text.

    >>> flatten({"optimizer": {"type": "adam", "L2": 1e-06}, "code": [], "run_name": None})
    {'optimizer.type': 'adam', 'optimizer.L2': '1e-06', 'code': '[]', 'run_name': 'null'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat.update({f"{key}.{inner}": text for inner, text in flatten(value).items()})
        else:
            flat[str(key)] = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return flat


def per_type_rows(step: int, per_type: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[dict[str, Any]]:
    """Scores by component and type → rows of a table, the most frequent type first. A score without gold is None."""

    def row(component: str, label: str, scores: Mapping[str, float | None]) -> dict[str, Any]:
        numbers = {key: float(score) if score is not None else None for key, score in scores.items()}
        return {"step": step, "component": component, "type": label, **numbers}

    return [
        row(component, label, scores)
        for component, types in per_type.items()
        for label, scores in sorted(types.items(), key=lambda item: (-(item[1].get("support") or 0), item[0]))
    ]


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def _ends_in_half_a_line(path: Path) -> bool:
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() not in (b"", b"\n")


def parse_events(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The events that these lines hold; lines that are no event are passed over."""
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut in half by a crash, then appended to by whoever resumed
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            shape = _SHAPES.get(event["event"], {})
            if all(isinstance(event.get(key), kind) for key, kind in shape.items()):
                yield renamed_event(event)


def store_of(events: Sequence[Mapping[str, Any]]) -> str:
    """The address of the store that the run went to last: a process that resumes a run notes its own."""
    resumed = next(
        (event["uri"] for event in reversed(events) if event["event"] == "resume" and event.get("uri")), None
    )
    return str(resumed or events[0]["uri"])


def past_of(path: Path) -> list[dict[str, Any]]:
    """The events of a journal that an earlier process began; empty where no run has begun in it."""
    try:
        past = read_journal(path)
    except OSError:
        return []
    return past if past and past[0]["event"] == "start" else []
