"""A folder with small files, in which a story raises an error and follows its advice."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.assemble import make_corpus, make_learner
from runner.commands.degenerate import check_worth
from runner.config.compose import compose
from runner.errors import RunnerError

from .inventory import ROOTS

TINY = (
    "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "pipeline=ner", "tok2vec=small",
    "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "tracking=none", "training.max_epochs=1",
)  # fmt: skip
BOW = ("pipeline=textcat_bow", "corpus.dev=dev.csv")
NAMES = {"words": ["Ada", "met", "Bo"], "entities": ["U-PER", "O", "U-PER"], "tags": ["N", "V", "N"]}
DEV = {"words": ["Bo", "left"], "entities": ["U-PER", "O"], "tags": ["N", "V"]}
IOB = "Ada I-PER\nmet O\nBo I-PER\n\n"
OVERRIDE = re.compile(rf'"((?:{ROOTS})[\w./]*=[^"]*)"|((?:{ROOTS})(?:[./]\w+)*=(?:[^\s,;:)`"]*[^\s,;:.)`"…]))')
FILLED = {"PATH": "train.jsonl", "FILE": "train.jsonl", "FOLDER": "model"}


class Place:
    """told: all that errors and commands have said. patch: undone when the story is over."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.told: list[str] = []
        self.write("train.jsonl", [NAMES] * 8)
        self.write("dev.jsonl", [DEV] * 4)
        self.write("train.csv", "text,label\ngood film,A\nbad film,B\n")
        self.write("dev.csv", "text,label\ngood one,A\nbad one,B\n")
        self.write("train.iob", IOB * 4)

    def write(self, name: str, content: str | list[dict[str, Any]]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else "".join(json.dumps(one) + "\n" for one in content)
        path.write_text(text, encoding="utf8")
        return path

    def raised(self, act: Callable[..., Any], *given: Any, **named: Any) -> RunnerError:
        """The error that `act` raises."""
        with pytest.raises(RunnerError) as caught:
            act(*given, **named)
        self.told.append(str(caught.value))
        return caught.value

    def refused(self, *words: str) -> RunnerError:
        """The error of a run with these words, before its first step."""
        return self.raised(prepare, *TINY, *words)

    def follows(self, *words: str) -> None:
        """A run with these words is refused; with each alternative of the advice it would start."""
        self.follow(self.refused(*words), *words)

    def follow(self, error: RunnerError, *words: str) -> None:
        """A run with these words and each alternative of the error's advice would start."""
        chosen = alternatives(error.hint or "")
        assert chosen, f"there is no key=value in {error.hint!r}"
        for overrides in chosen:
            prepare(*TINY, *words, *overrides)

    def command(self, *words: str, code: int = 0) -> str:
        """What the command line says; it must end with this code."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = main(list(words))
        text = out.getvalue() + err.getvalue()
        self.told.append(text)
        assert ended == code, text
        return text


def alternatives(hint: str) -> list[list[str]]:
    """The overrides of each way that a hint names.

    >>> alternatives("Set corpus.dev=null corpus.folds=5, or corpus.dev=PATH.")
    [['corpus.dev=null', 'corpus.folds=5'], ['corpus.dev=train.jsonl']]
    """
    ways = []
    for part in re.split(r"\bor\b|;", hint):
        found = [quoted or plain for quoted, plain in OVERRIDE.findall(part)]
        if found:
            ways.append([_filled(override) for override in found])
    return ways


def _filled(override: str) -> str:
    key, _, value = override.partition("=")
    return f"{key}={FILLED.get(value, value)}"


def prepare(*words: str) -> Any:
    """All that a run does before its first step; its config."""
    config = compose(list(words))
    corpus = make_corpus(config)
    pipeline, sgd, plan = make_learner(config, corpus.train)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    check_worth(pipeline, corpus, plan, warn=False)
    return config


def takes(keys: Sequence[str]) -> None:
    """Keys that an advice names without a value exist: each as `key=VALUE` with its own value of now."""
    from runner.config.schema import manual_entry

    for key in keys:
        assert manual_entry(key) or manual_entry(key.rpartition(".")[0]), f"there is no key {key}"
