"""Kill trainings at random moments, resume them, and hold the end against an undisturbed run: bits and metric history.

    python -m tests.stress.kills --kills 200 --seed 0

Each trial is one run in MLflow (a store of its own) that is ended by SIGKILL once and then resumed; kinds with a teacher go on
from a model that is trained first (--kinds taught frozen). The suite does the same
with 20 kills, without MLflow (tests/commands/test_resume.py).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.training.keeper import FOLDER
from tests.commands.test_resume import KINDS, command, history, prepare, result, summary


def train(folder: Path, kind: str, seconds: float | None = None) -> bool:
    """Run, or resume, in that folder; whether it came to its end before `seconds` had passed and it was killed."""
    folder.mkdir(exist_ok=True)
    for made in (folder.parent / f"parent-{kind}").iterdir():  # the model that it starts from, an encoder's files
        if made.name in ("parent", "encoder") and not (folder / made.name).exists():
            shutil.copytree(made, folder / made.name)
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command(*KINDS[kind], "output_dir=out", "resume=auto"), cwd=folder, stdout=log, stderr=log,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        process.wait()
    is_finished = (folder / "out/summary.json").is_file() and summary(folder / "out")["run_id"] is not None
    return is_finished and not (folder / "out" / FOLDER).exists()


def ended(folder: Path) -> Any:
    """Bits and history, once the process that talks to MLflow has written all of it."""
    return result(folder / "out"), history(folder / "mlflow.db")


def difference(one: Any, other: Any) -> str:
    """What differs, shortly."""
    (bits, (status, keys, rows)), (bits2, (status2, keys2, rows2)) = one, other
    more_keys, more_rows = sorted(set(keys) ^ set(keys2))[:8], sorted(set(rows) ^ set(rows2))[:8]
    return f"bits {bits == bits2}, {status} {status2}, keys {more_keys}, values {more_rows}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    n_same = n_other = n_early = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        undisturbed, duration = {}, {}
        for kind in arguments.kinds:
            (root / f"parent-{kind}").mkdir()
            prepare(root / f"parent-{kind}", kind)
            began = time.monotonic()
            train(root / kind, kind)
            duration[kind] = time.monotonic() - began
            undisturbed[kind] = ended(root / kind)
        trial = 0
        while n_same + n_other < arguments.kills:
            kind = arguments.kinds[trial % len(arguments.kinds)]
            folder = root / f"trial{trial}"
            trial += 1
            if train(folder, kind, moments.uniform(0.3, duration[kind])):
                n_early += 1  # it had ended: no kill
                shutil.rmtree(folder)
                continue
            train(folder, kind)
            try:
                found = ended(folder)
                is_same = found == undisturbed[kind]
                if not is_same:
                    print(difference(found, undisturbed[kind]))
            except AssertionError as error:
                print(error)
                is_same = False
            if is_same:
                n_same += 1
                shutil.rmtree(folder)
            else:
                n_other += 1
                kept = Path(tempfile.mkdtemp(prefix=f"kill-{kind}-"))
                shutil.move(folder, kept / "run")
                print(f"trial {trial} ({kind}) ended otherwise: {kept}", flush=True)
            if (n_same + n_other) % 10 == 0:
                print(f"{n_same} of {n_same + n_other} the same", flush=True)
    print(
        f"{n_same} of {n_same + n_other} killed runs ended as the undisturbed one; {n_early} had ended before their kill"
    )
    return int(n_other > 0)


if __name__ == "__main__":
    sys.exit(main())
