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

The only process that imports MLflow, in mlflow_sender.py and what that imports (mlflow_store.py asks for a model's place,
with the same care). Interrupts are ignored; the training process decides.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from runner.tracking.mlflow.sender import Reply, RunSender

LOOK_SECONDS = 1.0  # between two looks at a growing journal
ORPHAN_SECONDS = 120.0  # after which a journal is left alone that another process does not let go


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


def main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for a reply
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
