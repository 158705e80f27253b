"""Keep config files from running Python, writing logs, setting environment variables and filling the memory.

Inside `guarded()`, everything that Hydra and OmegaConf read obeys five rules:

    YAML          has a bounded size, with its aliases written out (bounded_yaml.py)
    ${...}        occur at most two thousand times, and the size of their values is bounded, even if they refer to one another
    _target_      may name Hydra's own launcher and sweeper and no other Python; `hydra.callbacks` is refused
    secrets       are masked in what Hydra writes
    logging, env  `hydra.job_logging` and `hydra.hydra_logging` (which can name classes and files) are refused, as is
                  `hydra.job.env_set`

`code:` stays the only way from a config to Python. Neither library has a place for such rules, so `guarded()` replaces some of
their functions while it lasts; the versions of both are pinned to one minor version.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.bounded_yaml import bounded
from runner.config.conf_folder import CONFIG_NAME
from runner.errors import RunnerError
from runner.files import write_file
from runner.secrets import masked_all, masked_word

_BUDGET = 1_000_000  # of one job, spent on resolving ${...}
_RESOLUTION = 500  # cost of one ${...}; each value or ten characters in its result cost 1 more
_PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")

_spent = 0
_depth = 0


def refill() -> None:
    """Start a job with a whole budget for `${...}`."""
    global _spent
    _spent = 0


@contextmanager
def guarded() -> Iterator[None]:
    """Apply the rules above to every config that is read inside. May be nested."""
    global _depth
    _depth += 1
    if _depth > 1:
        try:
            yield
        finally:
            _depth -= 1
        return

    import omegaconf._utils
    import omegaconf.basecontainer
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from omegaconf.base import Container

    yaml_loader = omegaconf._utils.get_yaml_loader
    resolve = Container._resolve_interpolation_from_parse_tree
    load = ConfigLoaderImpl.load_configuration

    def bounded_loader() -> Any:
        return bounded(yaml_loader())

    def bounded_resolve(self: Any, *args: Any, **kwargs: Any) -> Any:
        _spend(_RESOLUTION)
        value = resolve(self, *args, **kwargs)
        _spend(_size(value))
        return value

    def checked_load(self: Any, *args: Any, **kwargs: Any) -> Any:
        refill()
        config = load(self, *args, **kwargs)
        check_hydra(config.get("hydra"))
        return config

    def save_clean(config: Any, path: Any, **_: Any) -> None:
        write_file(Path(path), clean_yaml(config))

    patches: list[tuple[Any, str, Any]] = [
        (omegaconf.OmegaConf, "save", save_clean),
        (omegaconf._utils, "get_yaml_loader", bounded_loader),
        (omegaconf.basecontainer, "get_yaml_loader", bounded_loader),
        (Container, "_resolve_interpolation_from_parse_tree", bounded_resolve),
        (ConfigLoaderImpl, "load_configuration", checked_load),
    ]
    before = [getattr(home, name) for home, name, _ in patches]
    refill()
    try:
        for home, name, new in patches:
            setattr(home, name, new)
        yield
    finally:
        _depth -= 1
        for (home, name, _), old in zip(patches, before, strict=True):
            setattr(home, name, old)


def clean_yaml(config: Any) -> str:
    """A config (or a list of overrides) of Hydra's as YAML, with secrets masked."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=False)
    if isinstance(plain, list):
        return OmegaConf.to_yaml(OmegaConf.create(_masked_words(plain)))
    clean = masked_all(plain)
    for place in (clean.get("hydra") or {}, (clean.get("hydra") or {}).get("job") or {}):
        place.update({key: _masked_words(place[key]) for key in ("overrides", "override_dirname") if key in place})
    return OmegaConf.to_yaml(OmegaConf.create(clean))


def _masked_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_words(inner) for key, inner in value.items()}
    return list(map(_masked_words, value)) if isinstance(value, list) else masked_word(str(value))


def check_hydra(hydra: Any) -> None:
    """Raises RunnerError if Hydra's own part of a config asks for Python, logging or environment variables."""
    if hydra is None:
        return
    if hydra.get("callbacks"):
        raise RunnerError(
            "Hydra's callbacks are not run", place="hydra.callbacks", hint="`code:` is the way to your own Python."
        )
    for name in ("job_logging", "hydra_logging"):
        for key, value in _items(hydra.get(name)):
            if value and key not in ("version", "disable_existing_loggers"):
                if hydra.job.config_name not in (None, CONFIG_NAME) and "formatters" in hydra[name]:
                    raise RunnerError(
                        f"{hydra.job.config_name!r} does not build on the runner's own config",
                        place="--config-name",
                        hint=f"Leave the option out, or begin the file's defaults with '- {CONFIG_NAME}'.",
                    )
                raise RunnerError(
                    "Hydra's logging is switched off and cannot be configured",
                    place=f"hydra.{name}.{key}",
                    hint="The console table and journal.jsonl are the log.",
                )
    for key, value in _items(hydra.job.get("env_set")):
        if os.environ.get(str(key)) != value:  # a variable from hydra.job.env_copy has its value already
            raise RunnerError(
                "a config cannot set the environment", place=f"hydra.job.env_set.{key}", hint="Set it in the shell."
            )
    for name in ("launcher", "sweeper"):
        for place, target in _targets(hydra.get(name), f"hydra.{name}"):
            if place != f"hydra.{name}" or not target.startswith(_PLUGINS):
                raise RunnerError(
                    f"'_target_: {target:.60}' is not allowed",
                    place=place,
                    hint="`code:` is the way to your own Python.",
                )


def _targets(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """(dotted key, value) of each `_target_` in and below `node`."""
    for key, value in _items(node):
        if key == "_target_":
            yield place, str(value)
        else:
            yield from _targets(value, f"{place}.{key}")


def _items(node: Any) -> Iterator[tuple[Any, Any]]:
    """The keys and values of a mapping or list, references followed. A plain value has none."""
    from omegaconf import DictConfig, ListConfig
    from omegaconf.errors import OmegaConfBaseException

    if not isinstance(node, DictConfig | ListConfig) or node._is_none() or node._is_missing():
        return
    keys: list[Any] = list(node.keys()) if isinstance(node, DictConfig) else list(range(len(node)))
    for key in keys:
        try:
            yield key, node[key]
        except OmegaConfBaseException:  # ??? or a reference that cannot be resolved yet: yield it as it is written
            raw: Any = node._get_node(key)
            yield key, raw._value()


def _spend(n: int) -> None:
    """Take `n` from the job's budget. Raises what OmegaConf raises for a value that cannot be resolved."""
    global _spent
    _spent += n
    if _spent > _BUDGET:
        from omegaconf.errors import InterpolationResolutionError

        raise InterpolationResolutionError("the values refer to one another too many times")


def _size(value: Any) -> int:
    """The cost of a resolved value: 1 for each node in it, and 1 for ten characters of text."""
    from omegaconf.base import Container

    stack, n = [value], 0
    while stack and n <= _BUDGET:
        node = stack.pop()
        n += 1
        content = getattr(node, "_content", node)
        if isinstance(node, Container):
            stack.extend(
                content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
            )
        else:
            content = getattr(node, "_val", node)
            n += len(content) // 10 if isinstance(content, str) else 0
    return n
