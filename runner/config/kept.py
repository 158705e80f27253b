"""The config as a run saves it: values, except that texts from the environment stay expressions and passwords are masked.

    tracking.uri: http://ada:${oc.env:STORE_PASSWORD}@host     saved as it is written
    tracking.uri: http://ada:pa55@host                         saved as http://***@host
    optimizer.learn_rate: ${oc.decode:${oc.env:rate,0.001}}    saved as 0.001: numbers are no secrets, and are compared

A rerun resolves the expressions in its own environment; a masked value must be given again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from runner import secrets
from runner.errors import RunnerError

_OPEN, _CLOSE = "\ue000", "\ue001"  # stand for "${" and "}" while values are resolved: no text contains them
_NAMES = re.compile(r"oc\.env:\s*(\w+)")
_ENVIRONMENT = re.compile(r"\$\{oc\.env:\s*(\w+)\s*(?:,([^{}]*))?\}")


def kept_config(node: DictConfig, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The config as it may be saved. node: the composed config. plain: the same config, resolved."""
    with _expressions():
        return dict(secrets.masked_all(_kept(node, plain)))


def check_text(plain: Any, place: str = "") -> None:
    """Raises RunnerError if a key or a value holds a lone surrogate (from bytes that are not UTF-8): no file can store it."""
    items = plain.items() if isinstance(plain, Mapping) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        inner = f"{place}.{key}" if place else str(key)
        for text in (key, value):
            if isinstance(text, str) and not text.isascii() and re.search("[\ud800-\udfff]", text):
                raise RunnerError(
                    "the text holds bytes that are not UTF-8", place=inner, hint="Give it in UTF-8, or rename the file."
                )
        check_text(value, inner)


def expanded(text: str) -> str:
    """`text` with each `${oc.env:NAME}` and `${oc.env:NAME,default}` replaced by the variable's value.

    Raises RunnerError if a variable without a default is not set.
    """

    def value(expression: re.Match[str]) -> str:
        name, default = expression.groups()
        if name not in os.environ and default is None:
            raise RunnerError(f"the environment variable {name} is not set", hint=f"Set it: export {name}=VALUE")
        return os.environ.get(name, (default or "").strip())

    return _ENVIRONMENT.sub(value, text)


def expanded_all(value: Any) -> Any:
    """A saved value, nested as it may be, with the expressions in all of its texts replaced; see `expanded`."""
    if isinstance(value, Mapping):
        return {key: expanded_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded_all(item) for item in value]
    return expanded(value) if isinstance(value, str) else value


def masked_keys(plain: Any, place: str = "") -> Iterator[str]:
    """The dotted keys whose values were masked because they held a secret."""
    if isinstance(plain, str) and secrets.is_masked(plain):
        yield place
    items = plain.items() if isinstance(plain, Mapping) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        yield from masked_keys(value, f"{place}.{key}" if place else str(key))


def _kept(node: Any, plain: Any) -> Any:
    """`plain` with texts from the environment replaced by their expressions in `node`."""
    if isinstance(node, DictConfig) and isinstance(plain, Mapping):
        return {key: _kept_item(node, key, value) for key, value in plain.items()}
    if isinstance(node, ListConfig) and isinstance(plain, list) and len(plain) == len(node):
        return [_kept_item(node, i, value) for i, value in enumerate(plain)]
    return plain


def _kept_item(node: Any, key: Any, plain: Any) -> Any:
    """What to save for `plain`, the resolved value of `node[key]`."""
    inner = node._get_node(key)
    raw = inner._value() if inner is not None else None
    if not isinstance(raw, str) or "${" not in raw:
        return _kept(inner, plain)
    if isinstance(plain, Mapping | list):
        return _kept(node[key], plain)  # a reference, such as ${tok2vec}
    if not isinstance(plain, str):
        return raw if any(map(secrets.is_secret_name, _NAMES.findall(raw))) else plain
    try:
        value = str(node[key])
    except OmegaConfBaseException:  # an expression inside another resolver
        return raw
    return value.replace(_OPEN, "${").replace(_CLOSE, "}") if _OPEN in value else plain


@contextmanager
def _expressions() -> Iterator[None]:
    """Inside, `${oc.env:NAME}` resolves to its own expression if the variable holds a text."""

    def env(key: str, *default: Any) -> Any:
        value = oc.env(key, *default)
        is_secret = secrets.is_secret_name(key)
        if value is None or (_is_number(value) and not is_secret):
            return value
        if key not in os.environ:
            return secrets.MASK if is_secret else value
        return f"{_OPEN}oc.env:{key}{_CLOSE}"  # without its default: a rerun must not fall back to it silently

    OmegaConf.register_new_resolver("oc.env", env, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _is_number(text: str) -> bool:
    if text.lower() in ("true", "false", "null"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
