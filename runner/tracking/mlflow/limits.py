"""What MLflow allows: sizes of one request and of one value, and the characters of a name."""

from __future__ import annotations

MAX_METRICS = 1000  # of one request
MAX_PARAMS = 100  # the same
MAX_PARAM_VALUE = 6000  # characters
MAX_MODEL_PARAM_VALUE = 500
MAX_TAG_VALUE = 5000
MAX_EXPERIMENT_NAME = 500
MAX_NAME = 250


def clean_name(key: str) -> str:
    """The key in characters that MLflow allows.

    >>> clean_name("ents_f/B-LOC:x")
    'ents_f/B-LOC_x'
    """
    return "".join(char if char.isalnum() or char in "_-./ " else "_" for char in key)[:MAX_NAME]


def cut(text: str, limit: int) -> str:
    """The text, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
