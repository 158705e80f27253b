"""`python -m benchmarks encoder`: this project's transformer beside PyTorch's, with the same weights and batches.

Sentences are those of UD English EWT dev. Each measurement is a process of its own, one thread, the sides in turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.encoder import texts
from benchmarks.measure import describe
from benchmarks.report import Record, Table, median, number, ratio
from benchmarks.turns import Options, environment, in_process, run_once, say, work_folder
from runner.errors import RunnerError

PHASES = {"predict": "prediction", "train": "forward and backward"}
PEER = "PyTorch"
INSTALL = 'pip install -e ".[bench-encoder]"'
SENTENCES = 1000  # whose vectors are compared
WORDS = {"predict": 10_000, "train": 5000}  # timed, without --words


class Side(NamedTuple):
    name: str  # ours or PEER
    ops: str  # of ours

    @property
    def title(self) -> str:
        return self.ops or self.name


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks encoder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--encoder", metavar="FOLDER", help="config.json, tokenizer.json, model.safetensors (default: all-MiniLM-L6-v2)"
    )
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PATH",
        help=f"a Python that has torch and transformers (default: this one, after {INSTALL})",
    )  # fmt: skip
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="processes of each side (default: 3)")
    parser.add_argument("--words", type=int, metavar="N", help=f"to time at least (default: {WORDS})")
    parser.add_argument("--data", metavar="FOLDER", help="the data sets' (default: $RUNNER_DATA_MIRROR)")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="keep each result; what is there is not measured again"
    )
    parser.add_argument("--no-mlflow", dest="mlflow", action="store_false", help="don't send the results to MLflow")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Measure what is missing, print the table, and send it to MLflow."""
    args = arguments(argv)
    records = run(args)
    shown = table(records)
    print(shown.markdown() if args.markdown else shown.plain())
    if args.mlflow:
        from benchmarks import track

        found = {name: value for record in records for name, value in metrics(record).items()}
        run_id = track.log("benchmarks-encoder", records, [shown], found)
        say(f"MLflow run {run_id}, experiment {track.EXPERIMENT}")
    return 0


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All measurements, the sides in turns, and the difference of the sides' vectors."""
    options = Options(turns=args.turns, words=args.words, data=args.data, save=args.save)
    sides = [Side("ours", "numpy"), *([Side("ours", "numba")] if find_spec("numba") else [])]
    reason = why_no_peer(args.peer_python, args.data or "")
    if reason:
        say(f"{PEER} is not measured: {reason} (install it: {INSTALL}; or --peer-python PATH)")
    else:
        sides.append(Side(PEER, ""))
    with work_folder(args.save) as folder:
        inputs = in_process("benchmarks.encoder.inputs", [str(folder), args.encoder or ""], None, args.data or "")
        records = []
        for phase, order in [(phase, order) for phase in PHASES for order in texts.ORDERS]:
            for turn in range(args.turns):
                for side in sides:
                    about = {"side": side.name, "ops": side.ops, "phase": phase, "order": order, "turn": turn}
                    about |= {"words": args.words or WORDS[phase], "encoder": Path(inputs["encoder"]).name}
                    task = {**about, **inputs, "outputs": ""}
                    records.append(run_once("encoder", about, options, lambda _, t=task: _measured(t, args)))
                    say(f"  {PHASES[phase]}, order {order}, {side.title}: {_rate(records[-1]):,.0f} words/CPU s")
        if not reason:
            about = {"phase": "difference", "sentences": SENTENCES, "encoder": Path(inputs["encoder"]).name}
            records.append(run_once("encoder", about, options, lambda work: _difference(work, inputs, sides, args)))
    return records


def why_no_peer(python: str, data: str) -> str:
    """Why PyTorch cannot be measured; "" if it can."""
    command = [python, "-c", "import torch, transformers"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment(None, data), check=False)
    except OSError as error:
        raise RunnerError(f"cannot run {python}: {error.strerror}", place="--peer-python") from None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1] if done.returncode else ""


def _measured(task: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    module, python = ("peer", args.peer_python) if task["side"] == PEER else ("ours", sys.executable)
    return in_process(f"benchmarks.encoder.{module}", [json.dumps(task)], 1, args.data or "", python=python)


def _difference(
    folder: Path, inputs: Mapping[str, str], sides: Sequence[Side], args: argparse.Namespace
) -> dict[str, Any]:
    """The largest absolute difference between PyTorch's vectors and those of each of our sides."""
    outputs: dict[str, Any] = {}
    for side in sides:
        path = folder / f"{side.title}.npy"
        task = {"side": side.name, "ops": side.ops, "phase": "predict", "order": "corpus", "words": 1, **inputs}
        record = _measured({**task, "outputs": str(path)}, args)
        outputs[side.title] = np.load(path)
    theirs = outputs.pop(PEER)
    for title, own in outputs.items():
        if own.shape != theirs.shape:
            raise RunnerError(f"{title} gave {own.shape} numbers, and {PEER} {theirs.shape}", place="--encoder")
    return {
        "largest": {title: float(np.abs(own - theirs).max()) for title, own in outputs.items()},
        "n_words": len(theirs),
        "machine": record["machine"],
    }


def table(records: Sequence[Record]) -> Table:
    """Medians over turns of words per CPU second and of peak memory, and ratios to PyTorch's."""
    timed = [record for record in records if record["spec"]["phase"] in PHASES]
    titles = ("numpy", "numba", PEER)
    rows = []
    for phase, order in dict.fromkeys((r["spec"]["phase"], r["spec"]["order"]) for r in timed):
        own = [r for r in timed if (r["spec"]["phase"], r["spec"]["order"]) == (phase, order)]
        rates = {title: median(_rate(r) for r in own if _title(r) == title) for title in titles}
        peaks = [median(r["peak_mb"] for r in own if _title(r) == title) for title in titles]
        ratios = [ratio(rates[title], rates[PEER]) for title in titles[:2]]
        rows.append(
            [PHASES[phase], order, *map(number, rates.values()), *(number(r, 2) for r in ratios), *map(number, peaks)]
        )
    notes = [
        f"largest difference of a number of the vectors of {r['n_words']:,} words ({r['spec']['sentences']:,} sentences): "
        + ", ".join(f"{value:.1e} ({title})" for title, value in r["largest"].items())
        for r in records
        if r["spec"]["phase"] == "difference"
    ]
    versions = {name: v for r in records for name, v in r.get("versions", {}).items()}
    kernels = sorted({record["kernel"] for record in timed if "kernel" in record}, key=len)
    notes += [f"ours: {kernels[-1]}"] if kernels else []
    notes.append(", ".join(f"{name} {v}" for name, v in sorted(versions.items())))
    return Table(
        f"{records[0]['spec']['encoder']}, words per CPU second, {describe(records[0]['machine'])}",
        ["what", "order", *titles, "ratio, numpy", "ratio, numba", *(f"MB, {title}" for title in titles)],
        rows,
        notes,
    )


def _title(record: Record) -> str:
    return str(record["spec"]["ops"] or record["spec"]["side"])


def _rate(record: Record) -> float:
    return float(record["n_words"] / max(record["cpu_seconds"], 1e-9))


def metrics(record: Record) -> dict[str, float]:
    """Of one record; later turns of the same measurement overwrite earlier ones."""
    spec = record["spec"]
    if spec["phase"] == "difference":
        return {f"encoder.difference.{title}": value for title, value in record["largest"].items()}
    key = f"encoder.{spec['phase']}.{spec['order']}.{_title(record)}"
    return {f"{key}.words_per_second": _rate(record), f"{key}.peak_mb": record["peak_mb"]}
