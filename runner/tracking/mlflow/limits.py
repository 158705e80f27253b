"""What MLflow allows: sizes of one request and of one value, and the characters of a name."""

from __future__ import annotations

import re

from runner.errors import RunnerError

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


def check_registry(name: str | None, alias: str | None) -> None:
    """Check the names that model-best is registered under, as far as MLflow's own rules can be checked here.

    name: in the model registry; None: it is not registered. alias: that moves to it. Raises RunnerError.
    """
    if name is not None and (not name.strip() or {"/", ":"} & set(name)):
        raise RunnerError(
            f"{name!r} is no name for a registered model",
            place="tracking.register",
            hint="MLflow takes any but an empty one, without '/' and ':'.",
        )
    if alias is not None and name is None:
        raise RunnerError(
            "an alias belongs to a registered model",
            place="tracking.alias",
            hint="Name the model too: tracking.register=NAME",
        )
    if alias is not None and (not re.fullmatch(r"[\w-]+", alias) or re.fullmatch(r"latest|[vV]\d+", alias)):
        raise RunnerError(
            f"{alias!r} is no alias that MLflow takes",
            place="tracking.alias",
            hint="Use letters, digits, '_' and '-'; 'latest' and v1, v2, … are taken.",
        )
