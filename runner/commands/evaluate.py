"""`python -m runner evaluate MODEL [DATA…]`: all scores of a model on annotated data."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import add_data_flags, add_model_flags
from runner.commands.own_data import examples_for, ops_of
from runner.errors import RunnerError
from runner.streams import terminal_width

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline
    from runner.corpus.datasets import Held
    from runner.inspect.evaluation import ModelScores
    from runner.tracking.model_source import ModelSource

HELP = """\
Score a trained model: every score of every component, by label too.

  python -m runner evaluate outputs/…             the run's own corpus.test,
                                                  else its dev set
  python -m runner evaluate runs:/3f2a… a.conllu  files that any reader takes
  python -m runner evaluate MODEL test/ --json    one JSON object
  python -m runner evaluate MODEL --log           test/… metrics in the run
  python -m runner evaluate MODEL raw.jsonl --tokens predicted
  python -m runner evaluate FOLDER dev.conllu --fit-temperature

Scores are percentages. A score without gold annotation in the data is a dash
(null in JSON). On the run's own dev set the scores of model-best are those of
its summary.json, to the last digit. words/s leaves tokenization out.
--fit-temperature makes the confidence of a model in a folder as high as it is
often right: fitted on every second text, measured on the others, and kept in
the model. Scores and predictions stay.
Exit codes: 0 done, 2 a model, a file or an option is wrong."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner evaluate", description=HELP)
    add_model_flags(parser)
    parser.add_argument("data", metavar="DATA", nargs="*", help="files or folders of annotated texts")
    parser.add_argument("--split", choices=("test", "dev", "train"), help="the part of the run's own corpus to score")
    add_data_flags(parser)
    parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--log", dest="is_logged", action="store_true", help="log the scores to the model's MLflow run, as test/…"
    )
    parser.add_argument(
        "--fit-temperature", action="store_true", help="calibrate the model's confidence, and keep that in its folder"
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Run `evaluate` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_intermixed_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    import srsly

    from runner.inspect.evaluation import lines, score_model
    from runner.inspect.temperature import as_dict, fit_temperatures, table
    from runner.progress import waiting
    from runner.tracking.model_source import find_model

    source = find_model(options.model, options.tracking_uri)
    if options.fit_temperature and not Path(options.model).is_dir():
        hint = f"Copy {source.folder} to a folder of yours, and name that."
        raise RunnerError("the model is in no folder of yours to keep it in", place="--fit-temperature", hint=hint)
    config = source.config() if not options.data else None
    ops = options.ops or ops_of(config)
    nlp = source.load(options.code, ops)
    held, split = examples_for(options, source, config, nlp, ("test", "dev"))
    for line in held.left_out.lines():
        print(line, file=sys.stderr)
    weights = (config or {}).get("pipeline", {}).get("score_weights")
    with waiting(f"scoring {len(held.examples):,} texts"):
        result = score_model(nlp, held.examples, weights)
    tokens = options.tokens or ("gold" if _is_gold(config, options.data) else "predicted")
    about = _about(source, nlp, held, split, tokens)
    with waiting("fitting temperatures"):
        fitted = fit_temperatures(nlp, held.examples) if options.fit_temperature else []
    if fitted:
        nlp.to_disk(source.folder)
    if options.is_json:
        more = {"temperatures": as_dict(fitted)} if fitted else {}
        print(srsly.json_dumps({**about, **result.as_dict(), **more}, indent=2))
    else:
        print(_heading(about, result))
        print("\n".join(lines(nlp, result)))
        if fitted:
            print("\n" + "\n".join(table(fitted)))
            print(f"kept in {source.folder}")
    if options.is_logged:
        print(_log(source, result, held), file=sys.stderr if options.is_json else sys.stdout)


def _is_gold(config: Mapping[str, Any] | None, data: Sequence[str]) -> bool:
    return bool(data) or config is None or config["corpus"].get("gold_tokens") is not False


def _about(source: ModelSource, nlp: Pipeline, held: Held, split: str | None, tokens: str) -> dict[str, Any]:
    from runner.tracking.past_run import weights_sha256

    run = source.run() if source.run_folder is not None else None
    return {
        "model": source.name,
        "run_id": run.run_id if run is not None else source.run_id,
        "weights_sha256": weights_sha256(source.folder),
        "components": nlp.pipe_names,
        "split": split,
        "data": [{"path": str(one.path), "sha256": one.sha256, "docs": one.n_docs} for one in held.sources],
        "tokens": tokens,
    }


def _heading(about: Mapping[str, Any], result: ModelScores) -> str:
    paths = [one["path"] for one in about["data"]]
    files = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    part = f"the run's {about['split']} set, {files}" if about["split"] else files
    text = f"on {part}: {result.n_docs:,} texts, {result.n_words:,} words, {about['tokens']} tokens"
    width = terminal_width(sys.stdout)
    lines = textwrap.wrap(text, width, break_on_hyphens=False) if width else [text]
    return "\n".join([str(about["model"]), *lines, ""])


def _log(source: ModelSource, result: ModelScores, held: Held) -> str:
    """Log the scores to the model's run; a line that says where. Raises RunnerError if the run is in no store."""
    from runner.tracking.mlflow.address import whole_address
    from runner.tracking.mlflow.runs import Store
    from runner.tracking.past_run import BEST

    run_id, uri, model = source.run_id, source.store, source.model_id or BEST
    if source.run_folder is not None and (run := source.run()) is not None and run.run_id and run.uri:
        run_id, uri, model = run.run_id, whole_address(run.uri, source.run_folder), source.folder.name
    if run_id is None:
        raise RunnerError("the model is of no run in MLflow", place="--log", hint="Leave the flag out.")
    values = {key: value for key, value in {"score": result.score, **result.scores}.items() if value is not None}
    datasets = [
        {"name": Path(one.path).name, "split": "test", "source": str(one.path), "digest": one.sha256,
         "n_docs": one.n_docs, "n_words": one.n_words}
        for one in held.sources
    ]  # fmt: skip
    with Store(uri) as store:
        model_id = store.log_scores(run_id, model, values, datasets)
    return f"logged {len(values)} metrics test/… to run {run_id}" + (f", model {model_id}" if model_id else "")
