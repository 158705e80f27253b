"""The name of a run: what differs from the defaults, the most telling first.

MLflow's runs page shows some 20 characters of it: "adam lr=.002 drop=.4", "tagger ewt depth=2"; "ner" where nothing differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LONGEST = 44  # characters; what does not fit is left out, and the last character says so
_QUIET = (("ner",), ("sample", "files"))  # pipeline, and corpora, that are not told
_LATE = ("corpus", "training")  # sections whose keys stand last: they tell how much, and not how

# The last part of a key → its short name. Keys that are not here are called by their last part.
_SHORT = {"learn_rate": "lr", "max_epochs": "epochs", "max_steps": "steps", "eval_every": "eval", "dropout": "drop"}
_OF_DROPOUT = {"start": "drop", "stop": "drop_end", "steps": "drop_steps"}
_BARE = ("optimizer", "experiment", "variant", "tracking")  # groups whose choice needs no name before it
# Keys that the name tells by other words, or that do not change what the run computes.
_TOLD = (
    "pipeline", "corpus", "corpus.name", "corpus.train", "corpus.dev", "corpus.test", "corpus.old_dev",
    "output_dir", "resume", "force", "fail_fast", "code", "repeat",
)  # fmt: skip
_ELSEWHERE = ("tracking", "hydra", "compute")


def run_name(components: Sequence[str], corpus: str, overrides: Sequence[str], first: str = "") -> str:
    """Name a run. corpus: its name. overrides: words of the command line. first: some of them, which stand first.

    >>> run_name(["ner"], "sample", ["training.max_epochs=5", "optimizer=adam", "optimizer.learn_rate=0.002", "seed=7"])
    'adam lr=.002 seed=7 epochs=5'
    >>> run_name(["tagger", "parser"], "wnut17", ["corpus=wnut17", "tok2vec.depth=2", "seed=1"], first="seed=1")
    'tagger,parser wnut17 seed=1 depth=2'
    """
    task, swept = ",".join(components), first.split()
    words = dict.fromkeys(override.lstrip("+") for override in overrides)
    ordered = sorted(words, key=lambda word: (word not in swept, word.split(".")[0] in _LATE))
    parts = [part for part in map(_part, ordered) if part]
    about = [name for name, quiet in zip((task, corpus), _QUIET, strict=True) if name not in quiet]
    return _fitted(list(dict.fromkeys([*about, *parts])) or [task])


def _part(override: str) -> str | None:
    """A word of the command line, short; None for one that the name does not tell."""
    if override.startswith("~"):
        return f"without {override[1:].partition('=')[0].rpartition('.')[2]}"
    key, _, value = override.partition("=")
    if not is_told(key):
        return None
    if key == "init.model":
        return "continued"
    if "/" in value or value.startswith(("{", "[")):  # a path, which would fill the column, or a whole block
        return None
    if key in _BARE:
        return value
    *sections, last = key.split(".")
    name = _OF_DROPOUT.get(last, last) if sections == ["dropout"] else _SHORT.get(last, last)
    return f"{name}={short_number(value)}"


def is_told(key: str) -> bool:
    """Whether a key of the config tells how a run differs from others, and is told by its value."""
    return key not in _TOLD and key.split(".")[0] not in _ELSEWHERE and not key.startswith("hydra/")


def short_number(text: str) -> str:
    """A number without the characters that say nothing; any other text as it is.

    >>> [short_number(text) for text in ("0.40", "-0.5", "1e-04", "0.0", "10", "1000.0", "auto", "3.10.x")]
    ['.4', '-.5', '1e-4', '0', '10', '1000', 'auto', '3.10.x']
    """
    if re.fullmatch(r"[+-]?\d+\.\d+", text):
        text = text.rstrip("0").rstrip(".")
    if re.fullmatch(r"[+-]?0\.\d+", text):
        return text.replace("0.", ".", 1)
    return re.sub(r"(?<=\d)e([+-]?)0*(\d)", r"e\1\2", text) if re.fullmatch(r"[+-]?[\d.]+e[+-]?\d+", text) else text


def _fitted(parts: Iterable[str]) -> str:
    """As many of these parts, one after the other, as fit."""
    name = ""
    for part in parts:
        longer = f"{name} {part}" if name else part
        if len(longer) > LONGEST:
            return f"{name or part[: LONGEST - 2]} …"
        name = longer
    return name
