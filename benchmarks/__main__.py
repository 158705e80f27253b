"""`python -m benchmarks [COMMAND]`: this project beside spaCy, and by itself; README.md in this folder says how to read it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import predict, roofline, scale, startup
from benchmarks.defaults import command as defaults
from benchmarks.encoder import command as encoder
from benchmarks.forgetting import command as forgetting
from benchmarks.jobs import JOBS, REGIMES, SIDES
from benchmarks.report import Record, Table, accuracy_table, load, measures, speed_table
from benchmarks.turns import Options, in_process, plan, run_all, run_once, say, work_folder
from runner.errors import RunnerError

RUNS = ("speed", "accuracy")  # kinds with two sides
SCALE_WORDS = 50_000

COMMANDS = {
    "all": "speed, accuracy, roofline and startup (the default)",
    "speed": "words per second, cold start and memory of both sides",
    "accuracy": "full trainings of both sides: best score, and seconds to spaCy's best",
    "predict": "words per second from raw text, of both sides: sentences, reviews, long texts",
    "encoder": "a pretrained encoder beside PyTorch (encoder --help)",
    "roofline": "how near tagger training comes to what its matrix products alone would take",
    "startup": "--help, the first update from the shell, what recording costs",
    "defaults": "what a user gets who names data and nothing else (defaults --help)",
    "forgetting": "what a model forgets while it learns more (forgetting --help)",
    "scale": "cost by size of the corpus and by length of a doc (ours alone; --sizes, --words)",
    "report": "the tables again, from the files of --save",
}
EPILOG = """examples:
  python -m benchmarks speed --jobs tagger ner --turns 3 --save results
  python -m benchmarks speed --jobs tagger --batch sentences --epochs 2
  python -m benchmarks accuracy --jobs tagger --set experiment=tagger --save results --fresh ours
  python -m benchmarks accuracy --jobs ner_wikigold --turns 5 --batch sentences --set experiment=ner
  python -m benchmarks predict --turns 3 --save results
  python -m benchmarks predict --jobs parser --words 2000000 --sides ours
  python -m benchmarks scale --sizes 1 4 16 49
  python -m benchmarks report --save results --markdown
"""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    commands = "\n".join(f"  {name:<9} {about}" for name, about in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measures this project, side by side with spaCy where that is installed.\n\ncommands:\n{commands}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", default="all", choices=COMMANDS, metavar="COMMAND", help="see above")
    what = parser.add_argument_group("what is run")
    default_jobs = [name for name, job in JOBS.items() if job.is_default]
    what.add_argument(
        "--jobs", nargs="+", default=[], metavar="JOB",
        help=f"{', '.join(JOBS)} (default: all but {', '.join(name for name in JOBS if name not in default_jobs)})",
    )  # fmt: skip
    regimes = "words: 100→1000 words; sentences: 1→32 sentences (default: both)"
    what.add_argument("--batch", nargs="+", default=list(REGIMES), choices=REGIMES, help=regimes)
    what.add_argument("--sides", nargs="+", default=None, choices=SIDES, help="default: both, where spaCy is installed")
    what.add_argument("--turns", type=positive, default=3, metavar="N", help="runs of each side (default: 3)")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="of the first turn, then one more each")
    what.add_argument(
        "--epochs", type=positive, metavar="N",
        help="default: 2 for speed, the job's for accuracy; a preset or training.max_epochs in --set has its own",
    )  # fmt: skip
    what.add_argument(
        "--words", type=positive, metavar="N", help="stop each training (predict: each prediction) after so many words"
    )
    what.add_argument("--limit", type=natural, metavar="N", help="only the first N docs of each file (0: all)")
    what.add_argument(
        "--evals", type=positive, default=1, metavar="N", help="evaluations an epoch, accuracy (default: 1)"
    )
    what.add_argument("--width", type=positive, metavar="N", help="of token vectors (default: the job's, mostly 96)")
    what.add_argument(
        "--depth", type=positive, metavar="N", help="of their convolutions (default: the job's, mostly 4)"
    )
    what.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of ours, presets included")
    what.add_argument("--threads", type=positive, metavar="N", help="BLAS threads of both (default: each side's own)")
    what.add_argument(
        "--sizes",
        nargs="+",
        type=positive,
        default=[1, 4, 16],
        metavar="N",
        help="times the corpus, scale (default: 1 4 16)",
    )
    mirror = os.environ.get("RUNNER_DATA_MIRROR")
    what.add_argument("--data", default=mirror, metavar="FOLDER", help="the data sets' (default: $RUNNER_DATA_MIRROR)")
    keep = parser.add_argument_group("what is kept and shown")
    keep.add_argument(
        "--save", type=Path, metavar="FOLDER", help="keep each run's result; what is there is not repeated"
    )
    keep.add_argument(
        "--fresh",
        nargs="*",
        choices=SIDES,
        default=None,
        help="repeat what is there, of one side or (given alone) of both",
    )
    keep.add_argument("--no-mlflow", dest="mlflow", action="store_false", help="don't send the results to MLflow")
    keep.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def options_of(args: argparse.Namespace) -> Options:
    return Options(
        jobs=args.jobs, batches=args.batch, sides=sides_of(args.sides), turns=args.turns, seed=args.seed,
        epochs=args.epochs, words=args.words, limit=args.limit, evals=args.evals, width=args.width, depth=args.depth,
        threads=args.threads, settings=args.set, data=args.data, save=args.save,
        fresh=() if args.fresh is None else args.fresh or SIDES,
    )  # fmt: skip


def sides_of(asked: Sequence[str] | None) -> Sequence[str]:
    """Both sides where spaCy is there; a side that was asked for and is not there is an error."""
    has_spacy = importlib.util.find_spec("spacy") is not None
    if asked is not None:
        if "spacy" in asked and not has_spacy:
            raise RunnerError(
                "spaCy is not installed", place="--sides spacy", hint='pip install -e ".[bench]", or give --sides ours.'
            )
        return asked
    if not has_spacy:
        say('spaCy is not installed (pip install -e ".[bench]"): ours alone is measured')
    return SIDES if has_spacy else ("ours",)


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] in (["encoder"], ["forgetting"]):
        try:
            return (encoder if words[0] == "encoder" else forgetting).main(words[1:])
        except RunnerError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    if words[:1] == ["defaults"]:
        return defaults.main(words[1:])
    args = arguments(words)
    try:
        if args.command in ("defaults", "encoder", "forgetting"):
            raise RunnerError(
                "this command has options of its own",
                place=args.command,
                hint=f"Name it first: python -m benchmarks {args.command}",
            )
        records = run(args)
        show(args, records)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what --save keeps is kept", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> list[Record]:
    """Measure what the command names, or read what was kept."""
    if args.command == "report":
        if args.save is None:
            raise RunnerError("give the folder of the results", place="--save")
        return [*load(args.save)]
    if args.command == "startup" and args.set:
        raise RunnerError("startup measures the run as it is by default", place="--set", hint="Leave --set out.")
    options = options_of(args)
    kinds = ["speed", "accuracy", "roofline", "startup"] if args.command == "all" else [args.command]
    records: list[Record] = []
    records += run_all([spec for kind in kinds if kind in RUNS for spec in plan(kind, options)], options)
    if "predict" in kinds:
        records += predict.run(options)
    data, threads, limit = args.data or "", args.threads, args.limit or None
    if "roofline" in kinds:
        spec = roofline.spec_of(data, threads=threads, limit=limit, settings=args.set)
        records.append(
            run_once(
                "roofline",
                spec.as_dict(),
                options,
                lambda _: in_process("benchmarks.roofline", [spec.to_json()], threads),
            )
        )
    if "startup" in kinds:
        has_spacy = "spacy" in options.sides
        about = {"turns": args.turns, "has_spacy": has_spacy}
        records.append(
            run_once(
                "startup", about, options, lambda folder: startup.measure(folder, turns=args.turns, has_spacy=has_spacy)
            )
        )
    if "scale" in kinds:
        words = args.words or SCALE_WORDS
        about = {"sizes": args.sizes, "words": words, "limit": limit, "threads": threads, "jobs": args.jobs}
        about |= {"settings": args.set} if args.set else {}
        jobs = args.jobs or scale.LENGTH_JOBS
        records.append(
            run_once(
                "scale", about, options,
                lambda folder: scale.measure(
                    folder, data, sizes=args.sizes, words=words, jobs=jobs, limit=limit, threads=threads, settings=args.set
                ),
            )
        )  # fmt: skip
    return records


def show(args: argparse.Namespace, records: Sequence[Record]) -> None:
    """Print the tables, draw the curves, and send all of it to MLflow."""
    tables = tables_of(records)
    for table in tables:
        print(table.markdown() if args.markdown else table.plain())
    with work_folder(None) as folder:
        plot = (args.save or folder) / "accuracy.png"
        files = [plot] if draw(records, plot) else []
        if files and args.save:
            say(f"curves: {plot}")
        if args.mlflow and args.command != "report":
            from benchmarks import track

            run_id = track.log(f"benchmarks-{args.command}", records, tables, metrics_of(records), files)
            say(f"MLflow run {run_id}, experiment {track.EXPERIMENT}")


def draw(records: Sequence[Record], path: Path) -> bool:
    """The curves as a picture, where there are any and matplotlib is installed."""
    if not any(record["spec"]["kind"] == "accuracy" for record in records):
        return False
    if importlib.util.find_spec("matplotlib") is None:
        say('no plots: matplotlib is not installed (pip install -e ".[bench]")')
        return False
    from benchmarks.plots import accuracy_plot

    return accuracy_plot(records, path)


def tables_of(records: Sequence[Record]) -> list[Table]:
    tables = [table for table in (speed_table(records), accuracy_table(records)) if table is not None]
    predictions = [record for record in records if record["spec"]["kind"] == "predict"]
    tables += [predict.table(predictions)] if predictions else []
    encoders = [record for record in records if record["spec"]["kind"] == "encoder"]
    tables += [encoder.table(encoders)] if encoders else []
    for record in records:
        kind = record["spec"]["kind"]
        if kind in ("roofline", "startup"):
            tables.append((roofline if kind == "roofline" else startup).table(record))
        elif kind == "scale":
            tables += scale.tables(record)
    return tables


def metrics_of(records: Sequence[Record]) -> dict[str, float]:
    found = measures(records)
    for record in records:
        module = {
            "predict": predict, "encoder": encoder, "roofline": roofline, "startup": startup, "scale": scale,
        }.get(record["spec"]["kind"])  # fmt: skip
        found |= module.metrics(record) if module is not None else {}
    return found


if __name__ == "__main__":
    sys.exit(main())
