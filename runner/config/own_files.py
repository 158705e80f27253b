"""`corpus.train=FILE` without a `corpus=` is about data of one's own: the corpus is then `files`, and not the bundled sample."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.config.conf_folder import conf_dir

_PARTS = ("corpus.train=", "corpus.dev=")
_OWN = "corpus=files"


def with_own_files(words: Sequence[str]) -> list[str]:
    """The overrides, with `corpus=files` if they name data and choose no corpus.

    >>> with_own_files(["pipeline=ner", "corpus.train=a.iob", "corpus.dev=b.iob"])
    ['corpus=files', 'pipeline=ner', 'corpus.train=a.iob', 'corpus.dev=b.iob']
    >>> with_own_files(["corpus.limit=10"]), with_own_files(["corpus=wnut17", "corpus.dev=b.iob"])
    (['corpus.limit=10'], ['corpus=wnut17', 'corpus.dev=b.iob'])
    """
    plain = [word.lstrip("+") for word in words]
    names_data = any(word.startswith(_PARTS) and not re.search(r"=(null|)$", word) for word in plain)
    return [_OWN, *words] if names_data and not any(map(_may_choose_corpus, plain)) else list(words)


def _may_choose_corpus(word: str) -> bool:
    """Whether the word chooses a corpus, or a preset that does or is not ours."""
    key, _, value = word.partition("=")
    if key != "experiment":
        return key == "corpus"
    for name in re.findall(r"[\w./-]+", value):
        path = conf_dir() / "experiment" / f"{name}.yaml"
        if name != "null" and (not path.is_file() or "override /corpus:" in path.read_text(encoding="utf8")):
            return True
    return False
