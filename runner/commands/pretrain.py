"""`python -m runner pretrain TEXTS…`: learn token vectors from raw text, for init.tok2vec.

It is an ordinary run of the pipeline `pretrain` on the corpus `texts`, with batches, checkpoints and tracking as any other; this
file puts its words into that form.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.commands import program
from runner.commands.flags import exit_code
from runner.errors import RunnerError

HELP = """\
usage: python -m runner pretrain TEXTS... [KEY=VALUE ...]

Learn token vectors from raw text: some words are hidden, and told from the
words around them. A run on annotated data then starts from these vectors.

  python -m runner pretrain raw.txt output_dir=pretrained
  python -m runner init.tok2vec=pretrained corpus.train=a.iob corpus.dev=b.iob

TEXTS   .txt (a text a line); of other formats the words are read, and no
        annotation. A twentieth of the texts is held back to score on
        (corpus.folds), or corpus.dev=FILE.

What is told of a hidden word: its first and last letters; with vectors=minilm
(or file, spacy) its word vector. pipeline.components.words.hidden=0.15 is the
share of words that are hidden. All other keys are those of a run; the command
is python -m runner pipeline=pretrain corpus=texts corpus.train=TEXTS."""

_WITH_VALUE = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--package", "-p", "--cfg", "-c")


def main(words: Sequence[str]) -> int:
    """Run `pretrain` with these words of the command line; return the exit code."""
    if "--help" in words or "-h" in words:
        print(HELP)
        return 0
    return exit_code(lambda: program.main(as_overrides(words)))


def as_overrides(words: Sequence[str]) -> list[str]:
    """The words of the command line as those of a run. Raises RunnerError if there are no texts.

    >>> as_overrides(["a b.txt", "seed=1"])
    ['pipeline=pretrain', 'corpus=texts', "corpus.train=['a b.txt']", 'seed=1']
    """
    texts: list[str] = []
    rest: list[str] = []
    for i, word in enumerate(words):
        is_value = i > 0 and words[i - 1] in _WITH_VALUE
        is_override = word.startswith("-") or is_value or ("=" in word and not Path(word).exists())
        (rest if is_override else texts).append(word)
    keys = [word.lstrip("+").partition("=")[0] for word in rest]
    own = [f"{key}={value}" for key, value in (("pipeline", "pretrain"), ("corpus", "texts")) if key not in keys]
    if texts:
        own.append(f"corpus.train=[{','.join(map(_quoted, texts))}]")
    elif "corpus.train" not in keys:
        hint = "Name them: python -m runner pretrain raw.txt"
        raise RunnerError("there are no texts to learn from", place="pretrain", hint=hint)
    if any(word.startswith("corpus.dev=") and word != "corpus.dev=null" for word in rest):
        own += ["corpus.folds=null", "corpus.fold=null"]
    return [*own, *rest]


def _quoted(text: str) -> str:
    """As a value of an override."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
