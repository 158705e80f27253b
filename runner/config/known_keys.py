"""The keys and groups that can be set, and the nearest to a misspelt one: for error messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from runner.config import schema
from runner.config.nodes import compose_node


def near(key: str, known: Sequence[str]) -> str:
    """A question that names the known key nearest to `key`; "" if none is near."""
    last = {name.rpartition(".")[2]: name for name in reversed(known)}
    tail = key.rpartition(".")[2]
    matches = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
    matches = matches or ([last[tail]] if tail in last and last[tail] != key else [])
    matches = matches or difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    matches = matches or [last[name] for name in difflib.get_close_matches(tail, list(last), n=1, cutoff=0.7)]
    return f"; did you mean {matches[0]!r}?" if matches else ""


def with_sections(keys: Iterable[str]) -> list[str]:
    """The keys, and the sections that hold them."""
    return list(dict.fromkeys(name for key in keys for name in (key.partition(".")[0], key)))


def known_keys(overrides: Sequence[str], config_dir: str | Path | None) -> list[str]:
    """Every dotted key of a run with these overrides' choices of groups; of the default run if those do not compose."""
    choices = [word for word in overrides if re.fullmatch(r"[a-z0-9_]+=[A-Za-z0-9_]+", word)]
    for given in (choices, []):
        try:
            node = compose_node(given, config_dir)
        except Exception:  # the caller explains the user's mistake; these keys only improve its message
            continue
        plain: Any = OmegaConf.to_container(node, resolve=False)
        plain.pop("hydra")
        return [*plain, *dict.fromkeys(node.hydra.runtime.choices), *_dotted(plain, "")]
    return with_sections(entry.key for entry in schema.manual())


def _dotted(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
