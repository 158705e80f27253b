"""Side by side with spaCy: one process after the other, in turns, medians and ratios.

    python -m benchmarks ner --turns 3 --epochs 3
    python -m benchmarks ner --folds --epochs 10 --batch sentences --set dropout.start=0.3

Words/s are words per CPU second of the process (training: updates alone; prediction: the dev set). spaCy needs the
`bench` extra; without it, ours alone is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys

MEASURES = (
    ("train_wps", "training words per CPU second", "{:,.0f}"),
    ("predict_wps", "prediction words per CPU second", "{:,.0f}"),
    ("peak_mb", "peak memory, MB", "{:,.0f}"),
    ("best", "best dev score", "{:.4f}"),
    ("cpu_seconds", "CPU seconds in all", "{:,.1f}"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("component", choices=["ner"])
    mirror = os.environ.get("RUNNER_DATA_MIRROR")
    parser.add_argument("--data", default=mirror, help="folder with wnut17/ (default: $RUNNER_DATA_MIRROR)")
    parser.add_argument("--turns", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs a run (default: 3)")
    regimes = "100→1000 words, or 1→16 sentences"
    parser.add_argument("--batch", choices=["words", "sentences"], default="words", help=regimes)
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads (default: 1)")
    parser.add_argument("--folds", action="store_true", help="Wikigold in 5 folds, one a turn, in place of WNUT 2017")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides for ours")
    args = parser.parse_args()
    if args.folds:
        args.turns = 5
    if not args.data:
        parser.error("give --data FOLDER, or set RUNNER_DATA_MIRROR")
    sides = ["ours"] + (["spacy"] if importlib.util.find_spec("spacy") else [])
    results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(args.turns):
        for side in sides:
            results[side].append(measure(side, args, seed=turn))
            print(f"turn {turn + 1} {side}: {json.dumps(results[side][-1])}", file=sys.stderr)
    print_table(results, args.folds)
    return 0


def measure(side: str, args: argparse.Namespace, seed: int) -> dict[str, float]:
    """One run in a process of its own."""
    corpus = ["corpus=wikigold", f"corpus.fold={seed}"] if args.folds else ["corpus=wnut17"]
    corpus += args.set if side == "ours" else []
    module = f"benchmarks.{side}_{args.component}"
    command = [sys.executable, "-m", module, args.data, str(args.epochs), args.batch, str(seed), *corpus]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(args.threads), "BLIS_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def print_table(results: dict[str, list[dict[str, float]]], is_mean: bool) -> None:
    sides = list(results)
    heading = f"{'median of ' + str(len(results['ours'])):36}" + "".join(f"{side:>12}" for side in sides)
    print(heading + (f"{'ratio':>9}" if len(sides) > 1 else ""))
    for key, title, style in MEASURES:
        medians = [statistics.median(run[key] for run in results[side]) for side in sides]
        if is_mean and key == "best":
            medians = [statistics.mean(run[key] for run in results[side]) for side in sides]
            title += " (mean)"
        row = f"{title:36}" + "".join(f"{style.format(value):>12}" for value in medians)
        print(row + (f"{medians[0] / medians[1]:>9.2f}" if len(sides) > 1 else ""))


if __name__ == "__main__":
    sys.exit(main())
