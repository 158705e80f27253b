"""`python -m runner threshold MODEL DATA`: from which probability a label should count."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import add_data_flags, add_model_flags, read_data
from runner.errors import RunnerError
from runner.progress import waiting

if TYPE_CHECKING:
    from runner.components.base import Component
    from runner.components.decisions import Decisions
    from runner.components.pipeline import Pipeline
    from runner.inspect.thresholds import Choice
    from runner.tracking.model_source import ModelSource

HELP = """\
Find the probability from which a label should count: the best F on DATA.

  python -m runner threshold MODEL dev.jsonl             one for all labels
  python -m runner threshold MODEL dev.jsonl --by-label  one for each label
  python -m runner threshold MODEL dev.jsonl --save      keep it in the model
  python -m runner threshold MODEL dev.jsonl -o FOLDER   … in a copy of it

One threshold is chosen by macro F, a label's own by the label's F; of equal
thresholds the one nearest to the present one is taken. Choose on data that the
model was not trained on, and score on other data: a threshold fits what it was
chosen on. Thresholds change what evaluate counts, and no probability.
Exit codes: 0 done, 1 it could not be written, 2 a model, file or option is
wrong."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner threshold", description=HELP)
    add_model_flags(parser)
    parser.add_argument("data", metavar="DATA", nargs="+", help="files or folders of annotated texts")
    parser.add_argument("--component", metavar="NAME", help="default: the only one that decides by a threshold")
    parser.add_argument("--by-label", dest="is_by_label", action="store_true", help="a threshold for each label")
    add_data_flags(parser)
    parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON object, curves included")
    parser.add_argument(
        "--save", dest="is_saved", action="store_true", help="keep the thresholds in the model's folder"
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", help="write a copy of the model that keeps them")
    return parser


def main(words: Sequence[str]) -> int:
    """Run `threshold` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_intermixed_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    from runner.corpus.example import Example
    from runner.inspect.thresholds import best_by_label, best_for_all
    from runner.tracking.model_source import find_model

    source = find_model(options.model, options.tracking_uri)
    if options.is_saved and source.store is not None:
        hint = "Write a copy of it into a folder of your own."
        raise RunnerError("a model in MLflow is not changed", place="--save", hint=hint)
    if options.output is not None and Path(options.output).exists():
        raise RunnerError("the folder exists", place=options.output, hint="Name a new one.")
    nlp = source.load(options.code, options.ops or "numpy")
    held = read_data(options, options.data, nlp)
    for line in held.left_out.lines():
        print(line, file=sys.stderr)
    docs = [example.predicted for example in held.examples]
    with waiting(f"predicting {len(docs):,} texts"):
        nlp.predict(docs)
    examples = [Example(doc, example.reference) for doc, example in zip(docs, held.examples, strict=True)]
    component, decisions = _deciding(nlp, options, examples)
    choices = best_by_label(decisions) if options.is_by_label else [best_for_all(decisions)]
    chosen: Any = (
        {one.label: one.best.threshold for one in choices} if options.is_by_label else choices[0].best.threshold
    )
    if options.is_json:
        values = [{**vars(one), "before": vars(one.before), "best": vars(one.best),
                   "curve": [vars(point) for point in one.curve]} for one in choices]  # fmt: skip
        print(json.dumps({"component": component.name, "threshold": chosen, "choices": values}, indent=2))
    else:
        print(f"{source.name}, {component.name}: {len(decisions.probabilities):,} texts with gold categories\n")
        print("\n".join(_by_label(choices) if options.is_by_label else _for_all(choices[0])))
    _save(nlp, component, chosen, source, options)


def _deciding(nlp: Pipeline, options: argparse.Namespace, examples: Sequence[Any]) -> tuple[Component, Decisions]:
    """The component to choose for, and its decisions. Raises RunnerError if there is none, or are several."""
    if options.component is not None:
        names = [nlp.get_pipe(options.component).name]
    else:
        names = [name for name in nlp.pipe_names if nlp.components[name].decisions(examples) is not None]
    if len(names) > 1:
        fact = f"several components decide by a threshold: {', '.join(names)}"
        raise RunnerError(fact, place="--component", hint="Name one of them.")
    decisions = nlp.components[names[0]].decisions(examples) if names else None
    if decisions is None:
        raise RunnerError(
            "there is no decision to choose a threshold for",
            place=options.component or options.data[0],
            hint="It takes a text classifier, and texts with gold categories.",
        )
    return nlp.components[names[0]], decisions


def _for_all(choice: Choice) -> Iterator[str]:
    yield "threshold        p        r        f  (macro)"
    for point in choice.curve:
        mark = "  best" if point == choice.best else ""
        yield f"{point.threshold:9.4f}  {100 * point.p:7.2f}  {100 * point.r:7.2f}  {100 * point.f:7.2f}{mark}"
    yield ""
    yield (
        f"best: {choice.best.threshold:.4f}, macro F {100 * choice.best.f:.2f} "
        f"(now {choice.before.threshold:.4f}: {100 * choice.before.f:.2f})"
    )


def _by_label(choices: Sequence[Choice]) -> Iterator[str]:
    from runner.foreign import shown_name

    width = max(len("label"), *(len(shown_name(one.label or "")) for one in choices))
    yield f"{'label':<{width}}  support      now        f  threshold        p        r        f"
    for one in choices:
        best = one.best
        yield (
            f"{shown_name(one.label or ''):<{width}}  {one.n_gold:7,}  {one.before.threshold:7.4f}  {100 * one.before.f:7.2f}"
            f"  {best.threshold:9.4f}  {100 * best.p:7.2f}  {100 * best.r:7.2f}  {100 * best.f:7.2f}"
        )


def _save(nlp: Pipeline, component: Component, chosen: Any, source: ModelSource, options: argparse.Namespace) -> None:
    """Keep the thresholds in the model, or in a copy; without a flag nothing is written."""
    if not options.is_saved and options.output is None:
        return
    folder = Path(options.output) if options.output is not None else source.folder
    nlp.blocks[component.name] |= component.set_threshold(chosen)
    for key in ("score", "scores"):  # of other decisions
        nlp.meta.pop(key, None)
    nlp.to_disk(folder)
    print(f"saved: {folder}", file=sys.stderr if options.is_json else sys.stdout)
