"""The follower: puts journals into MLflow while they grow. `python -m runner.tracking.mlflow`, started by follower.py.

    stdin   one task a line (task.py); its end says that the training process is gone: then a run whose journal has no
            end is closed as KILLED, and the follower ends when it has nothing left to send

It answers through the status file beside each journal (status.py), and sends with the same code as `python -m runner sync`
and `reap` (sender.py). Interrupts are ignored: the training process decides.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import sys
import threading
import time
from typing import BinaryIO

from runner.tracking.mlflow.sender import LOOK_SECONDS, JournalSender
from runner.tracking.mlflow.task import Task

ORPHAN_SECONDS = 120.0  # after which a journal is left alone that another process does not let go


def serve(lines: BinaryIO) -> None:
    """Follow every journal named in `lines` until the end of the lines and of all journals.

    Raises RunFailed where a run's end cannot be told: whoever waits for it sees the process gone, with its last words.
    """
    inbox: queue.Queue[Task | None] = queue.Queue()
    threading.Thread(target=_listen, args=(lines, inbox), daemon=True).start()
    senders: list[JournalSender] = []
    gone_since: float | None = None
    while senders or gone_since is None:
        with contextlib.suppress(queue.Empty):
            task = inbox.get(timeout=LOOK_SECONDS if senders else None)
            if task is not None:
                senders.append(JournalSender(task))
            else:
                gone_since = time.monotonic()
                for sender in senders:
                    sender.wake()
        for sender in senders:
            sender.pump(is_orphan=gone_since is not None)
        is_late = gone_since is not None and time.monotonic() - gone_since > ORPHAN_SECONDS
        senders = [sender for sender in senders if not sender.is_done and not is_late]


def _listen(lines: BinaryIO, inbox: queue.Queue[Task | None]) -> None:
    for line in lines:
        with contextlib.suppress(ValueError):  # cut in half by the end of the training process
            inbox.put(Task.from_line(line))
    inbox.put(None)


def main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    serve(sys.stdin.buffer)


if __name__ == "__main__":
    main()
