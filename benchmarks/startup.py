"""What one waits for: --help, the first update from the shell, and what recording every metric costs.

    help           wall seconds of `python -m runner --help`, and of a Hydra program of three files that does nothing
    first update   wall seconds from the shell to the end of the first update on the bundled sample, MLflow on; spaCy's
                   `spacy train` on the same docs beside it, with the config that `spacy init config` makes
    tracking       share of the steps' seconds that the tracker spent, by its own watch (the run's speed/tracking_share)

The first update's end is read from the run's journal, whose every line has its time. spaCy is told to note the time when its
optimizer has done its first step, by a file given to --code. All in turns, medians.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import describe, machine
from benchmarks.report import Table, number, times
from benchmarks.turns import environment, in_process
from runner.errors import RunFailed
from runner.tracking.metric_names import BATCH_WORDS, SECONDS, SPEED, TRACKING_SHARE

BARE = {
    "app.py": (
        "import hydra\n\n\n"
        '@hydra.main(version_base=None, config_path="conf", config_name="config")\n'
        "def main(config):\n    print(config)\n\n\nmain()\n"
    ),
    "conf/config.yaml": "defaults:\n  - optimizer: adam\n  - _self_\nseed: 0\n",
    "conf/optimizer/adam.yaml": "learn_rate: 0.001\n",
}
STEPS = 300  # of our run: about an epoch of the sample
FIRST_UPDATE = '''"""Notes when the optimizer has done its first step; given to `spacy train --code`."""
import os
import time

from thinc.api import Optimizer

_original = Optimizer.step_schedules


def step_schedules(self):
    _original(self)
    path = os.environ["FIRST_UPDATE_FILE"]
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(repr(time.time()))


Optimizer.step_schedules = step_schedules
'''


def measure(folder: Path, *, turns: int, has_spacy: bool) -> dict[str, Any]:
    """Everything, in turns. folder: an empty one."""
    for name, text in BARE.items():
        path = folder / "bare" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")
    found: dict[str, list[float]] = {
        key: [] for key in ("help_ours", "help_bare", "first_update_ours", "first_update_spacy", "tracking_share")
    }
    config = spacy_config(folder) if has_spacy else None
    for turn in range(turns):
        found["help_ours"].append(seconds_of(["-m", "runner", "--help"], folder))
        found["help_bare"].append(seconds_of(["app.py", "--help"], folder / "bare"))
        first, share = our_first_update(folder / f"ours-{turn}")
        found["first_update_ours"].append(first)
        found["tracking_share"].append(share)
        if config is not None:
            found["first_update_spacy"].append(spacy_first_update(config, folder / f"spacy-{turn}"))
    return {"turns": found, "machine": machine()}


def seconds_of(arguments: Sequence[str], folder: Path) -> float:
    """Wall seconds of a Python program from start to end."""
    began = time.perf_counter()
    run(arguments, folder)
    return time.perf_counter() - began


def our_first_update(folder: Path) -> tuple[float, float]:
    """(seconds to the end of the first update, share of the steps' time that tracking took), MLflow on, in a new store."""
    folder.mkdir()
    began = time.time()
    run(["-m", "runner", f"training.max_steps={STEPS}", "output_dir=out", "tracking.uri=sqlite:///mlflow.db"], folder)
    lines = (folder / "out" / "journal.jsonl").read_text(encoding="utf8").splitlines()
    return read_journal([json.loads(line) for line in lines], began)


def read_journal(events: Sequence[Mapping[str, Any]], began: float) -> tuple[float, float]:
    """The same from the journal's events. began: seconds since 1970.

    The tracker tells its share of the whole run; what it spent is held against the steps alone, evaluations left out.
    """
    steps = [event for event in events if event["event"] == "metrics"]
    ends = [event["values"] for event in events if event["event"] in ("evaluation", "finish")]
    # Where the last step was evaluated, the evaluation tells the share; else the end does.
    last = {key: value for values in ends for key, value in values.items()}
    speeds = [(step["values"][BATCH_WORDS], step["values"][SPEED]) for step in steps]
    seconds = sum(words / speed for words, speed in speeds if speed)
    return steps[0]["time"] / 1000 - began, last[TRACKING_SHARE] * last[SECONDS] / seconds


def spacy_config(folder: Path) -> Path:
    """A folder with the sample in spaCy's format, its config, and the file that notes the time."""
    made = folder / "spacy"
    in_process("benchmarks.convert", [str(made), "corpus=sample"], replies=False)
    run(["-m", "spacy", "init", "config", "config.cfg", "--lang", "en", "--pipeline", "ner"], made)
    (made / "first_update.py").write_text(FIRST_UPDATE, encoding="utf8")
    return made


def spacy_first_update(made: Path, output: Path) -> float:
    """Seconds from the shell to the end of the first update of `spacy train`."""
    noted = output.with_suffix(".seconds")
    arguments = ["-m", "spacy", "train", "config.cfg", "--code", "first_update.py", "--output", str(output)]
    arguments += ["--paths.train", "train.spacy", "--paths.dev", "dev.spacy", "--training.max_steps", "2"]
    began = time.time()
    run(arguments, made, FIRST_UPDATE_FILE=str(noted))
    return float(noted.read_text()) - began


def run(arguments: Sequence[str], folder: Path, **variables: str) -> None:
    command = [sys.executable, *arguments]
    env = environment() | variables
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        last = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-3:]
        raise RunFailed(f"{' '.join(command[1:])} failed with exit code {done.returncode}", hint=" / ".join(last))


def medians(record: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: statistics.median(values) if values else None for key, values in record["turns"].items()}


def table(record: Mapping[str, Any]) -> Table:
    found = medians(record)
    help_ours, help_bare = found["help_ours"], found["help_bare"]
    first_ours, first_spacy = found["first_update_ours"], found["first_update_spacy"]

    def against(a: float | None, b: float | None) -> str:
        return times(a / b) if a is not None and b else "–"

    rows = [
        ["--help, a bare Hydra program beside it, s", number(help_ours, 2), number(help_bare, 2), against(help_ours, help_bare)],
        ["shell to first update, MLflow on, `spacy train` beside it, s", number(first_ours, 2), number(first_spacy, 2),
         against(first_ours, first_spacy)],
        ["recording, % of a step", number(100 * (found["tracking_share"] or 0.0), 2), "–", "–"],
    ]  # fmt: skip
    n = len(record["turns"]["help_ours"])
    title = f"Start, wall seconds, median of {n} run{'s' if n > 1 else ''}, {describe(record['machine'])}"
    return Table(title, ["what", "ours", "beside it", "ratio"], rows, n_text=1)


def metrics(record: Mapping[str, Any]) -> dict[str, float]:
    return {f"startup.{key}": value for key, value in medians(record).items() if value is not None}
