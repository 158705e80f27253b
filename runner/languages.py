"""The language of a pipeline, which its tokenizer follows: pipeline.lang=de with spaCy's tokenizer has German rules.

A tokenizer that takes no `lang` (the default one) is the same for every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import RunnerError

# The best on raw English that is small and fast; figures in corpus/tokenizer.py.
DEFAULT_TOKENIZER: Mapping[str, Any] = {"type": "syntok"}


def in_language(tokenizer: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """The tokenizer's block with the pipeline's `lang`, where it takes a language and names none itself.

    Raises RunnerError where the block's type is not known.
    """
    from runner.blocks import accepted  # late: it imports pydantic, which --help does without

    takes = accepted("tokenizers", str(tokenizer.get("type"))) or ()
    return {**tokenizer, "lang": lang} if "lang" in takes and tokenizer.get("lang") is None else dict(tokenizer)


def check_language(tokenizer: Mapping[str, Any], lang: str) -> None:
    """Raises RunnerError where a tokenizer's block names another language than the pipeline."""
    own = in_language(tokenizer, lang).get("lang", lang)
    if own != lang:
        raise RunnerError(
            f"the tokenizer's language is {own!r:.40}, and pipeline.lang is {lang!r:.40}",
            place="pipeline.tokenizer.lang",
            hint=f"Set pipeline.lang={own}, or remove pipeline.tokenizer.lang, which then follows it.",
        )
