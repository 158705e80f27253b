"""The tokenizer follows the pipeline's language: spaCy's tokenizer uses German rules with pipeline.lang=de.

A tokenizer without a `lang` argument (such as the default tokenizer) is the same for every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import RunnerError

# The best small and fast tokenizer on raw English; corpus/tokenizer.py has the figures.
DEFAULT_TOKENIZER: Mapping[str, Any] = {"type": "syntok"}

# One neutral sentence a language, with a person and a place: the input example of a logged model.
_EXAMPLES = {
    "ca": "La Maria Keller viu a Oslo.",
    "da": "Maria Keller bor i Oslo.",
    "de": "Maria Keller wohnt in Oslo.",
    "en": "Maria Keller lives in Oslo.",
    "es": "María Keller vive en Oslo.",
    "fr": "Marie Keller habite à Oslo.",
    "it": "Maria Keller vive a Oslo.",
    "nb": "Maria Keller bor i Oslo.",
    "nl": "Maria Keller woont in Oslo.",
    "pl": "Maria Keller mieszka w Oslo.",
    "pt": "Maria Keller mora em Oslo.",
    "sv": "Maria Keller bor i Oslo.",
}


def example_text(lang: str) -> str:
    """A short sentence in the language; the English one for a language that has none here."""
    return _EXAMPLES.get(lang, _EXAMPLES["en"])


def in_language(tokenizer: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Add the pipeline's `lang` to a tokenizer block that takes a language and does not set one.

    Raises RunnerError if the block's type is unknown.
    """
    from runner.blocks import accepted  # imported late: runner.blocks imports pydantic, which --help does not need

    takes = accepted("tokenizers", str(tokenizer.get("type"))) or ()
    return {**tokenizer, "lang": lang} if "lang" in takes and tokenizer.get("lang") is None else dict(tokenizer)


def check_language(tokenizer: Mapping[str, Any], lang: str) -> None:
    """Raise RunnerError if the tokenizer block names another language than the pipeline."""
    own = in_language(tokenizer, lang).get("lang", lang)
    if own != lang:
        raise RunnerError(
            f"the tokenizer's language is {own!r:.40}, and pipeline.lang is {lang!r:.40}",
            place="pipeline.tokenizer.lang",
            hint=f"Set pipeline.lang={own}, or remove pipeline.tokenizer.lang, which then follows it.",
        )
