"""What a config file may not do: run Python, write logs and variables, or fill the memory.

While `guarded()` lasts, whatever Hydra and OmegaConf read is held against five rules:

    YAML          is bounded, aliases written out (bounded_yaml.py)
    ${...}        are at most two thousand, and what they stand for is bounded, however they refer to one another
    _target_      names no Python but Hydra's own launcher and sweeper; `hydra.callbacks` is refused
    secrets       are left out of what Hydra writes
    logging, env  `hydra.job_logging`, `hydra.hydra_logging` (which can name classes and files) and `hydra.job.env_set` are
                  refused

so that `code:` stays the only way from a config to Python. Functions of Hydra and OmegaConf are exchanged for the time, because
neither has a place for such rules; both are bounded to one minor version.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.bounded_yaml import bounded
from runner.errors import RunnerError
from runner.files import write_file
from runner.secrets import masked_all, masked_word

_BUDGET = 1_000_000
_RESOLUTION = 500  # of the budget, for one ${...}; one value or ten characters that it stands for cost 1
_PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")

_spent = 0
_depth = 0


def refill() -> None:
    """A new job begins, with its whole budget of `${...}`."""
    global _spent
    _spent = 0


@contextmanager
def guarded() -> Iterator[None]:
    """Hold configs to the rules above; may be nested."""
    global _depth
    _depth += 1
    if _depth > 1:
        try:
            yield
        finally:
            _depth -= 1
        return

    import hydra.core.utils
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
        found = resolve(self, *args, **kwargs)
        _spend(_size(found))
        return found

    def checked_load(self: Any, *args: Any, **kwargs: Any) -> Any:
        refill()
        config = load(self, *args, **kwargs)
        check_hydra(config.get("hydra"))
        return config

    def save_clean(config: Any, path: Any, resolve: bool = False) -> None:
        write_file(Path(path), clean_yaml(config))

    def no_notes(*_: Any) -> None:
        """The run writes them, see program.hydras_notes."""

    patches: list[tuple[Any, str, Any]] = [
        (hydra.core.utils, "_save_config", no_notes),
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
    """A config of Hydra's (or its overrides, a list) as YAML, without secrets."""
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
    """Raises RunnerError where Hydra's own part of a config would run or write more than a run does."""
    if hydra is None:
        return
    if hydra.get("callbacks"):
        raise RunnerError(
            "callbacks are not run", place="hydra.callbacks", hint="`code:` is the way to your own Python."
        )
    for name in ("job_logging", "hydra_logging"):
        for key, value in _items(hydra.get(name)):
            if value and key not in ("version", "disable_existing_loggers"):
                from runner.config.compose import CONFIG_NAME

                if hydra.job.config_name not in (None, CONFIG_NAME) and "formatters" in hydra[name]:
                    raise RunnerError(
                        f"{hydra.job.config_name!r} does not build on the runner's own config",
                        place="--config-name",
                        hint=f"Leave the option out, or begin the file's defaults with '- {CONFIG_NAME}'.",
                    )
                raise RunnerError(
                    "Hydra's logging is off, and cannot be set",
                    place=f"hydra.{name}.{key}",
                    hint="The console table and journal.jsonl are the log.",
                )
    for key, value in _items(hydra.job.get("env_set")):
        if os.environ.get(str(key)) != value:  # those of env_copy are what they are
            raise RunnerError(
                "a config cannot set the environment", place=f"hydra.job.env_set.{key}", hint="Set it in the shell."
            )
    for name in ("launcher", "sweeper"):
        for place, target in _targets(hydra.get(name), f"hydra.{name}"):
            if place != f"hydra.{name}" or not target.startswith(_PLUGINS):
                raise RunnerError(
                    f"'_target_: {target:.60}' is not called",
                    place=place,
                    hint="`code:` is the way to your own Python.",
                )


def _targets(node: Any, place: str) -> Iterator[tuple[str, str]]:
    for key, value in _items(node):
        if key == "_target_":
            yield place, str(value)
        else:
            yield from _targets(value, f"{place}.{key}")


def _items(node: Any) -> Iterator[tuple[Any, Any]]:
    """The keys and values of a mapping or list, references followed; nothing of a plain value."""
    from omegaconf import DictConfig, ListConfig
    from omegaconf.errors import OmegaConfBaseException

    if not isinstance(node, DictConfig | ListConfig) or node._is_none() or node._is_missing():
        return
    keys: list[Any] = list(node.keys()) if isinstance(node, DictConfig) else list(range(len(node)))
    for key in keys:
        try:
            yield key, node[key]
        except OmegaConfBaseException:  # ??? and what is not known yet; as it is written
            written: Any = node._get_node(key)
            yield key, written._value()


def _spend(n: int) -> None:
    global _spent
    _spent += n
    if _spent > _BUDGET:
        from omegaconf.errors import InterpolationResolutionError

        raise InterpolationResolutionError("the values refer to one another too many times")


def _size(found: Any) -> int:
    from omegaconf.base import Container

    stack, n = [found], 0
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
