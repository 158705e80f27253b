"""errors.html and confusion.svg in a run's folder: what model-best gets wrong on the dev set, written once, at the end.

A huge dev set is shown by a sample, so that the page costs seconds. A page that cannot be made fails no run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from runner.components.pipeline import load
from runner.config.schema import RunConfig
from runner.corpus.datasets import Corpus
from runner.errors import RunnerError
from runner.files import write_file
from runner.foreign import shown
from runner.inspect.errors import evenly_drawn, examine
from runner.progress import waiting
from runner.tracking.past_run import BEST, CONFUSION, ERRORS

MOST_WORDS = 30_000  # of dev data that are shown: two or three seconds of prediction with confidence
MOST_TRAIN_WORDS = 1_000_000  # more training data is not searched for what it has seen


def write_page(config: RunConfig, corpus: Corpus, best: Mapping[str, Any] | None) -> None:
    """Write the page, unless `training.errors` is false or there is no best epoch. Says in one line why it failed.

    best: the epoch, as in the result.
    """
    if not config.training.errors or best is None:
        return
    try:
        with waiting(f"writing {ERRORS}"):
            _write(config, corpus, int(best["epoch"]))
    except Exception as error:  # whatever it is, a component of a user's own included: the run itself is whole
        told = error.fact if isinstance(error, RunnerError) else f"{type(error).__name__}: {error}"
        print(f"not written: {ERRORS} ({shown(told, 200)})", file=sys.stderr, flush=True)


def _write(config: RunConfig, corpus: Corpus, epoch: int) -> None:
    from runner.inspect.error_page import confusion_picture, page  # imports Jinja2

    nlp = load(config.output_dir / BEST, config.code, config.compute.ops)
    train = corpus.train if corpus.n_train_words <= MOST_TRAIN_WORDS else None
    report = examine(nlp, evenly_drawn(corpus.dev, MOST_WORDS), train, n_all=len(corpus.dev))
    split = "train" if corpus.is_folded else "dev"
    files = [str(source.path) for source in corpus.sources if source.split == split]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    data = f"the dev set{', a fold' if corpus.is_folded else ''} of {', '.join(files[:3])}{more}"
    write_file(config.output_dir / ERRORS, page(report, f"{BEST} of epoch {epoch}", data))
    if picture := confusion_picture(report):
        write_file(config.output_dir / CONFUSION, picture)
