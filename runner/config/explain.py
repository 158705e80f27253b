"""Turn errors of Hydra and OmegaConf into two lines for the user: the key, the fact, and the next move.

For a misspelt key Hydra advises `+key=`, which hides the typo in a new key that nobody reads; the messages here name the
nearest known key instead. Nothing here runs unless there is an error.
"""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from omegaconf import OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ReadonlyConfigError,
    ValidationError,
)

from runner.config import schema
from runner.config.conf_folder import group_names
from runner.config.explain_overrides import (
    SEE_KEYS,
    composition,
    group_needs_name,
    is_misfit_group,
    missing_config,
    no_such_key,
    unreadable_override,
)
from runner.config.library_texts import core_text, first_line, full_key, quoted, wrong_type
from runner.config.presets import preset_fault
from runner.errors import RunnerError
from runner.secrets import is_secret_name


def explain(error: Exception, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError:
    """The RunnerError that explains `error`. overrides, config_dir: from the command line, to find the key that was meant.

    Raises `error` itself if it is a bug of ours.
    """
    if isinstance(error, RunnerError):
        return error
    if is_ours(error):
        raise error
    if (fault := preset_fault(overrides, config_dir)) is not None:
        return fault
    for link in _chain(error):
        if isinstance(link, RunnerError):
            return link
        explained = _explain_one(link, overrides, config_dir)
        if explained is not None:
            return explained
    merging = re.match(r"Error merging override (\S+?)=", str(error))
    if merging:
        place = merging.group(1)
        return RunnerError("the value does not fit the key", place=place, hint=schema.described(place) or SEE_KEYS)
    if any(is_misfit_group(word) for word in overrides):
        return group_needs_name(overrides)
    text = first_line(error)
    if not isinstance(error, HydraException | OmegaConfBaseException | ValueError):
        text = f"these choices and values do not go together ({text})"
    return RunnerError(text, place=_file_of(error) or "command line", hint=SEE_KEYS)


def interpolation_error(error: Exception, node: Any) -> RunnerError | None:
    """Explain the error of a value in `node` that could not be resolved; None for any other kind of error."""
    if isinstance(error, OmegaConfBaseException | RecursionError):
        for link in _chain(error):
            explained = link if isinstance(link, RunnerError) else _explain_one(link, (), None)
            if explained is not None:
                return with_origin(explained, node)
    return None


def with_origin(error: RunnerError, node: Any) -> RunnerError:
    """The error, with a hint that names the environment variable if the value at its place comes from one."""
    if error.place is None or error.place.count(" ") or not OmegaConf.is_config(node):
        return error
    parts = error.place.split(".")
    for length in range(len(parts), 0, -1):
        raw = _raw_at(node, parts[:length])
        if not isinstance(raw, str):
            continue
        for name in re.findall(r"oc\.env:\s*(\w+)", raw):
            if name in os.environ:
                value = "" if is_secret_name(name) else f"={_cut(os.environ[name])!r}"
                origin = f"The value comes from the environment variable {name}{value}"
                hint = f"{origin}; unset it, or give {error.place}=VALUE."
                return type(error)(error.fact, place=error.place, hint=hint)
    return error


def is_ours(error: BaseException) -> bool:
    """Whether the runner's own code raised the error: then it is a bug, not a mistake of the user's.

    Frames of the standard library are skipped, so that its caller counts.
    """
    if isinstance(error, ReadonlyConfigError):
        return True
    # Errors that guard.py raises, among others, and errors of the operating system.
    if isinstance(error, RunnerError | OmegaConfBaseException | yaml.YAMLError | OSError | RecursionError):
        return False
    library = sysconfig.get_path("stdlib")
    files = (Path(frame.filename) for frame in reversed(traceback.extract_tb(error.__traceback__)))
    foreign = (file for file in files if "site-packages" in file.parts or not file.is_relative_to(library))
    last = next((file for file in foreign if not str(file).startswith("<")), None)
    return last is not None and last.is_relative_to(Path(__file__).parent.parent)


def option(argv: Sequence[str], *names: str) -> str | None:
    """The value of a command-line option, given as `--name value` or `--name=value`."""
    for i, word in enumerate(argv):
        for name in names:
            if word == name and i + 1 < len(argv):
                return argv[i + 1]
            if word.startswith(name + "="):
                return word.partition("=")[2]
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the first cause first, because it is the most precise."""
    links: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in links:
        links.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    links.reverse()
    # Hydra's own errors come first: they know the override as it was typed.
    return iter(sorted(links, key=lambda link: not isinstance(link, ConfigCompositionException)))


def _explain_one(error: BaseException, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError | None:
    """Explain one link of the chain by its class; None if this class says nothing to a user."""
    text = str(error)
    if isinstance(error, MissingConfigException):
        return missing_config(error, overrides)
    if isinstance(error, OverrideParseException):
        return unreadable_override(error, overrides)
    if isinstance(error, SearchPathException):
        return RunnerError(first_line(error), place="--config-dir", hint="Give the path of a folder that exists.")
    if isinstance(error, ConfigCompositionException):
        return composition(text, overrides, config_dir)
    if isinstance(error, ValidationError):
        return _wrong_type(error)
    if isinstance(error, MissingMandatoryValue):
        place = full_key(error)
        meaning = f" ({entry.meaning})" if place and (entry := schema.manual_entry(place)) else ""
        return RunnerError("a value must be given", place=place, hint=f"Add {place}=VALUE{meaning}.")
    if isinstance(error, InterpolationKeyError):
        name = quoted(text)
        is_group = name in group_names()
        hint = f"The name of a group's chosen file is ${{hydra.runtime.choices.{name}}}." if is_group else SEE_KEYS
        return RunnerError(f"the value refers to {name!r}, which does not exist", place=full_key(error), hint=hint)
    if isinstance(error, InterpolationResolutionError):
        place = full_key(error)
        missing = re.search(r"Environment variable '(\w+)' not found", text)
        if missing:
            hint = f"Set it (export {missing[1]}=VALUE){f', or give {place}=VALUE' if place else ''}."
            return RunnerError(f"the environment variable {missing[1]} is not set", place=place, hint=hint)
        hint = f"Give a plain value: {place}=VALUE." if place else SEE_KEYS
        return RunnerError(f"the value cannot be resolved: {core_text(text)}", place=place, hint=hint)
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        place = full_key(error) or quoted(text)
        return no_such_key(place, overrides, config_dir)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return RunnerError(
            f"not valid YAML: {error.problem or first_line(error)}",
            place=f"{_file_of(error) or mark.name}:{mark.line + 1}",
            hint="Mend the file near that line.",
        )
    if isinstance(error, yaml.reader.ReaderError):
        fact = f"not valid YAML: the character {chr(error.character)!r} is not allowed"
        return RunnerError(fact, place=_file_of(error), hint="Save the file as plain text in UTF-8.")
    if isinstance(error, yaml.YAMLError):
        return RunnerError(f"not valid YAML: {first_line(error)}", place=_file_of(error), hint="Mend the file.")
    if isinstance(error, UnicodeDecodeError):
        return RunnerError("the file is not UTF-8", place=_file_of(error), hint="Save it as UTF-8.")
    if isinstance(error, RecursionError):
        return _endless(error, overrides)
    if isinstance(error, OSError) and error.strerror:
        place = str(error.filename) if error.filename else "command line"
        return RunnerError(error.strerror, place=place, hint="Choose another path.")
    if isinstance(error, ValueError) and "Config group override must be" in text:
        return group_needs_name(overrides)
    if isinstance(error, ValueError) and "Config group override deletion" in text:
        place = next((word for word in overrides if word.startswith("~")), "~")
        hint = "Leave it out; a group may be replaced, as in optimizer=sgd."
        return RunnerError("a group cannot be deleted like this", place=place, hint=hint)
    return None


def _endless(error: RecursionError, overrides: Sequence[str]) -> RunnerError:
    """The error of an endless recursion: in a defaults list, a file, a value on the command line, or a reference."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if (
            frame.f_code.co_name == "_expand_virtual_root"
        ):  # the outermost call for each config; deeper ones come too late
            continue
        if frame.f_code.co_name == "_create_defaults_tree_impl" and "defaults_list" in frame.f_locals:
            place = str(getattr(getattr(frame.f_locals.get("root"), "node", None), "value", None) or "defaults")
            hint = "Look for a config that names itself in its defaults."
            return RunnerError("the defaults list leads back to its own start", place=place, hint=hint)
    file = _file_of(error)
    if file is not None:
        return RunnerError("the file nests too deeply", place=file, hint="Simplify it.")
    deep = max(overrides, key=_depth, default="")
    if _depth(deep) > 20:
        place = deep.partition("=")[0]
        return RunnerError("the value nests too deeply", place=place, hint=schema.described(place) or SEE_KEYS)
    fact = "a value refers to itself, or nests too deeply"
    return RunnerError(fact, place="command line", hint="Look for ${...} that leads back to its own key.")


def _depth(text: str) -> int:
    """The largest number of brackets that are open at once."""
    deepest = depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _wrong_type(error: ValidationError) -> RunnerError:
    """The error of a value whose type does not fit its key."""
    place = full_key(error)
    fact = wrong_type(str(error)) or core_text(str(error))
    if "ListConfig" in fact or "ListConfig" in str(error):
        fact = "a list is needed"
        return RunnerError(fact, place=place, hint=f"Write {place}=[VALUE].")
    if "DictConfig" in fact or "not a subclass" in fact or "Cannot" in fact:
        fact = "the key holds keys of its own, not a single value"
        return RunnerError(fact, place=place, hint=f"Set those keys, as in {place}.KEY=VALUE. {SEE_KEYS}")
    if fact.startswith("'{}'"):
        fact = "the key holds a single value and has no keys of its own"
    entry = schema.manual_entry(place) if place else None
    if fact.startswith("keys with values") and entry is not None and entry.type.startswith("block of"):
        return RunnerError(fact, place=place, hint=f"Write {place}.type=NAME. {schema.described(place)}")
    if fact.startswith("keys with values") and place is not None:
        return RunnerError(fact, place=place, hint=f"Set those keys, as in {place}.KEY=VALUE. {SEE_KEYS}")
    if entry is not None and entry.type.endswith("or null") and re.match(r"'(none|nil|nan|off|false)' ", fact.lower()):
        return RunnerError(fact, place=place, hint=f"Write {place}=null. {schema.described(place)}")
    return RunnerError(fact, place=place, hint=schema.described(place) or SEE_KEYS)


def _raw_at(node: Any, parts: Sequence[str], jumps: int = 5) -> Any:
    """The value at the path `parts`, as it is written; None if there is none. jumps: how many references to follow."""
    try:
        plain: Any = OmegaConf.to_container(node, resolve=False)
        for i, part in enumerate(parts):
            plain = plain[part]
            reference = re.fullmatch(r"\$\{([\w.]+)\}", plain) if isinstance(plain, str) else None
            if reference and jumps:  # such as the pipeline's ${tok2vec}
                return _raw_at(node, [*reference.group(1).split("."), *parts[i + 1 :]], jumps - 1)
    except (KeyError, TypeError, IndexError, OmegaConfBaseException):
        return None
    return plain


def _file_of(error: BaseException) -> str | None:
    """The config file that Hydra was reading when it failed, by its stack frames; None if it read none."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals:
            return str(frame.f_locals["full_path"])
        if frame.f_code.co_name == "_create_defaults_list" and isinstance(frame.f_locals.get("config_path"), str):
            return f"{frame.f_locals['config_path']}.yaml"
    return None


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["explain", "interpolation_error", "is_ours", "option", "with_origin"]
