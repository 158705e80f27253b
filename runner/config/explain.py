"""Hydra's and OmegaConf's errors in two lines: the key, the fact, and the next move.

Hydra advises `+key=` for a misspelt key, which hides the typo in a new key that nobody reads; here the nearest
known key is named instead. Only errors are looked at: nothing here runs while all is well.
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
from runner.config.known_keys import group_names, known_keys, near, with_sections
from runner.config.presets import preset_fault
from runner.errors import RunnerError, suggest
from runner.secrets import is_secret_name

SEE_KEYS = "`python -m runner --cfg job` prints every key."
_WANTED = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "a text"}


def explain(error: Exception, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError:
    """The same mistake, in the user's words. overrides, config_dir: of the command line, to find what was meant.

    Raises the error itself where it is a bug of ours.
    """
    if isinstance(error, RunnerError):
        return error
    if is_ours(error):
        raise error
    if (fault := preset_fault(overrides, config_dir)) is not None:
        return fault
    for found in _chain(error):
        if isinstance(found, RunnerError):
            return found
        explained = _explain_one(found, overrides, config_dir)
        if explained is not None:
            return explained
    merging = re.match(r"Error merging override (\S+?)=", str(error))
    if merging:
        place = merging.group(1)
        return RunnerError("the value does not fit the key", place=place, hint=schema.described(place) or SEE_KEYS)
    if any(_is_misfit_group(word) for word in overrides):
        return _group_needs_name(overrides)
    text = _first_line(error)
    if not isinstance(error, HydraException | OmegaConfBaseException | ValueError):
        text = f"these choices and values do not go together ({text})"
    return RunnerError(text, place=_file_of(error) or "command line", hint=SEE_KEYS)


def interpolation_error(error: Exception, node: Any) -> RunnerError | None:
    """The error of a value that could not be worked out from `node`; None for any other kind."""
    if isinstance(error, OmegaConfBaseException | RecursionError):
        for found in _chain(error):
            explained = found if isinstance(found, RunnerError) else _explain_one(found, (), None)
            if explained is not None:
                return with_origin(explained, node)
    return None


def with_origin(error: RunnerError, node: Any) -> RunnerError:
    """Where the value at the error's place comes from an environment variable, say so."""
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
                found = f"It is the environment variable {name}{value}"
                hint = f"{found}; unset it, or give {error.place}=VALUE."
                return type(error)(error.fact, place=error.place, hint=hint)
    return error


def is_ours(error: BaseException) -> bool:
    """Whether the code that raised is the runner's own, which makes it a bug and no mistake of the user's.

    Frames of the standard library are passed over: whoever called it is meant.
    """
    if isinstance(error, ReadonlyConfigError):
        return True
    # What guard.py stops, among others; and what the system refuses.
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
    """From the cause to the effect: the first to know is the most precise."""
    links: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in links:
        links.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    # An unknown key is told by Hydra's own words: it knows the override as it was typed.
    links.reverse()
    return iter(sorted(links, key=lambda link: not isinstance(link, ConfigCompositionException)))


def _explain_one(error: BaseException, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError | None:
    text = str(error)
    if isinstance(error, MissingConfigException):
        return _missing_config(error, overrides)
    if isinstance(error, OverrideParseException):
        return _unreadable_override(error)
    if isinstance(error, SearchPathException):
        return RunnerError(_first_line(error), place="--config-dir", hint="Give the path of a folder that exists.")
    if isinstance(error, ConfigCompositionException):
        return _composition(text, overrides, config_dir)
    if isinstance(error, ValidationError):
        return _wrong_type(error, overrides)
    if isinstance(error, MissingMandatoryValue):
        place = _full_key(error)
        entry = schema.manual_entry(place) if place else None
        meaning = f" ({entry.meaning})" if entry else ""
        return RunnerError("a value must be given", place=place, hint=f"Add {place}=VALUE{meaning}.")
    if isinstance(error, InterpolationKeyError):
        name = _quoted(text)
        is_group = name in group_names()
        hint = f"The name of a group's chosen file is ${{hydra.runtime.choices.{name}}}." if is_group else SEE_KEYS
        return RunnerError(f"it refers to {name!r}, which does not exist", place=_full_key(error), hint=hint)
    if isinstance(error, InterpolationResolutionError):
        place = _full_key(error)
        missing = re.search(r"Environment variable '(\w+)' not found", text)
        if missing:
            hint = f"Set it (export {missing[1]}=VALUE){f', or give {place}=VALUE' if place else ''}."
            return RunnerError(f"the environment variable {missing[1]} is not set", place=place, hint=hint)
        hint = f"Give a plain value: {place}=VALUE." if place else SEE_KEYS
        return RunnerError(f"its value cannot be worked out: {_core(text)}", place=place, hint=hint)
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        place = _full_key(error) or _quoted(text)
        return _no_such_key(place, overrides, config_dir)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return RunnerError(
            f"not valid YAML: {error.problem or _first_line(error)}",
            place=f"{_file_of(error) or mark.name}:{mark.line + 1}",
            hint="Mend the file near that line.",
        )
    if isinstance(error, yaml.reader.ReaderError):
        fact = f"not valid YAML: the character {chr(error.character)!r} is not allowed"
        return RunnerError(fact, place=_file_of(error), hint="Save the file as plain text in UTF-8.")
    if isinstance(error, yaml.YAMLError):
        return RunnerError(f"not valid YAML: {_first_line(error)}", place=_file_of(error), hint="Mend the file.")
    if isinstance(error, UnicodeDecodeError):
        return RunnerError("the file is not UTF-8", place=_file_of(error), hint="Save it as UTF-8.")
    if isinstance(error, RecursionError):
        return _endless(error, overrides)
    if isinstance(error, OSError) and error.strerror:
        place = str(error.filename) if error.filename else "command line"
        return RunnerError(error.strerror, place=place, hint="Choose another path.")
    if isinstance(error, ValueError) and "Config group override must be" in text:
        return _group_needs_name(overrides)
    if isinstance(error, ValueError) and "Config group override deletion" in text:
        place = next((word for word in overrides if word.startswith("~")), "~")
        hint = "Leave it out; a group may be replaced, as in optimizer=sgd."
        return RunnerError("a group cannot be deleted like this", place=place, hint=hint)
    return None


def _endless(error: RecursionError, overrides: Sequence[str]) -> RunnerError:
    """Something without a bottom: a defaults list, a file, a value on the command line, or a reference."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_expand_virtual_root":  # the outermost call for each config; inside it is too late
            continue
        if frame.f_code.co_name == "_create_defaults_tree_impl" and "defaults_list" in frame.f_locals:
            place = str(getattr(getattr(frame.f_locals.get("root"), "node", None), "value", None) or "defaults")
            hint = "Look for a config that names itself in its defaults."
            return RunnerError("the defaults lead back to where they began", place=place, hint=hint)
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
    """How many brackets stand open at once."""
    deepest = depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _composition(text: str, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError | None:
    found = re.search(r"Could not override '([^']*)'", text)
    if found:
        return _no_such_key(found.group(1), overrides, config_dir)
    if text.startswith("Ambiguous value for argument") or "requires --multirun" in text:
        override = _quoted(text) or "it"
        key, _, value = override.partition("=")
        hint = "Add --multirun to run each."
        if _may_be_list(key):
            hint = f"Add --multirun to run each, or write a list as '{key}=[{value}]'."
        return RunnerError("several values for one run", place=override, hint=hint)
    there = re.search(r"Could not append to config. An item is already at '([^']*)'", text)
    if there:
        return RunnerError("the key exists already", place=f"+{there.group(1)}", hint="Leave the + out to change it.")
    twice = re.match(r"(\S+) appears more than once in the final defaults list", text)
    if twice:
        hint = f"In a preset's defaults, write 'override /{twice.group(1)}: NAME'."
        return RunnerError("the group is chosen twice", place=twice.group(1), hint=hint)
    if text.startswith("Error merging override ~"):
        key = text.partition("~")[2].strip()
        return RunnerError(
            "it cannot be deleted", place=key, hint=f"Leave ~{key} out, or give {key}=null if it may be."
        )
    if text.startswith("Error merging override"):
        return None  # its cause says why
    if text.startswith("Sweeping over Hydra"):
        swept = re.search(r": '(.*)'", text)
        place = swept.group(1) if swept else None
        return RunnerError("hydra's own keys take one value", place=place, hint="Sweep over keys of the run.")
    if "does not exist" in text and text.startswith("Override "):
        name = re.search(r"config group '([^']*)'", text)
        return _no_such_key(name.group(1) if name else text, overrides, config_dir)
    if text.startswith("Could not delete"):
        return RunnerError("there is nothing to delete", place=f"~{_quoted(text)}", hint=SEE_KEYS)
    inner = re.match(r"In '([^']*)': (\w+) raised while composing config:\n(.*)", text, re.DOTALL)
    if inner:
        file, kind, message = inner.groups()
        full_key = re.search(r"full_key: (\S+)", message)
        inside = full_key.group(1) if full_key else None
        where = f"{file}.yaml, {inside}" if inside else f"{file}.yaml"
        if kind in ("ConfigKeyError", "ConfigAttributeError") and inside:
            names = with_sections(entry.key for entry in schema.manual())
            return RunnerError(f"there is no such key{near(inside, names)}", place=where, hint=SEE_KEYS)
        if "merge DictConfig with ListConfig" in message:
            return RunnerError("a list where keys and values are needed", place=where, hint="Write KEY: VALUE.")
        return RunnerError(
            _converted(message) or _core(message), place=where, hint=schema.described(inside) or SEE_KEYS
        )
    if text and text != "None":
        return RunnerError(text.splitlines()[0], place="command line", hint=SEE_KEYS)
    return None


def _may_be_list(key: str) -> bool:
    """Whether a key, and not a group, may hold a list."""
    entry = schema.manual_entry(key)
    scalars = ("int", "float", "str", "bool")
    return key not in group_names() and (entry is None or entry.type.removesuffix(" or null") not in scalars)


def _no_such_key(name: str, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError:
    key, at, package = name.partition("@")
    if package and not any("@" in word for word in overrides):
        # Hydra put the preset's choices into a key of their own, as it does where the first line does not say otherwise.
        return RunnerError(
            f"the preset sets {key!r}, and is not marked as one",
            place="experiment",
            hint="Make '# @package _global_' the first line of its file, with nothing before it.",
        )
    known = known_keys(overrides, config_dir)
    if key in known and (at or key in group_names() or any(word.startswith(f"{key}@") for word in overrides)):
        hint = f"Choose a file as in {key}=NAME, and set keys as in {key}.KEY=VALUE."
        if key not in group_names():
            hint = f"Write {key}=VALUE."
        return RunnerError("it cannot be set like this", place=name, hint=hint)
    return RunnerError(f"there is no such key{near(key, known)}", place=name or "command line", hint=SEE_KEYS)


def _missing_config(error: MissingConfigException, overrides: Sequence[str]) -> RunnerError:
    missing = str(error.missing_cfg_file or "")
    group, _, name = missing.rpartition("/")
    if not group:
        if str(error).startswith("Primary config"):
            return RunnerError(_first_line(error), place="--config-path", hint="Give a folder that exists.")
        return RunnerError(f"there is no config {name!r}", place="--config-name", hint="Leave the option out.")
    source = re.match(r"In '([^']*)'", str(error))
    typed = next((word for word in overrides if word.lstrip("+").partition("=")[0] == group), None)
    is_typed = typed is not None and name in re.split(r"[=,\[\]\s]+", typed)
    place = group if is_typed or source is None else f"{source.group(1)}.yaml"
    return RunnerError(f"unknown {group} {name!r}; {suggest(name, error.options or ())}", place=place)


def _unreadable_override(error: OverrideParseException) -> RunnerError:
    override = error.override
    if "=" not in override and not override.startswith("~"):
        return RunnerError(
            "not understood", place=repr(override), hint="Overrides are KEY=VALUE; see python -m runner --help."
        )
    told = re.search(
        r"^(mismatched|missing|extraneous|no viable|token recognition).*$", str(error.message), re.MULTILINE
    )
    reason = re.split(r" expecting| at input", told.group(0))[0] if told else "it cannot be parsed"
    return RunnerError(reason, place=repr(override), hint="Put special characters in quotes: \"key='a=b'\".")


def _wrong_type(error: ValidationError, overrides: Sequence[str]) -> RunnerError:
    place = _full_key(error)
    fact = _converted(str(error)) or _core(str(error))
    if "ListConfig" in fact or "ListConfig" in str(error):
        fact = "a list is needed"
        return RunnerError(fact, place=place, hint=f"Write {place}=[VALUE].")
    if "DictConfig" in fact or "not a subclass" in fact or "Cannot" in fact:
        fact = "it holds keys of its own, not a single value"
        return RunnerError(fact, place=place, hint=f"Set those keys, as in {place}.KEY=VALUE. {SEE_KEYS}")
    if fact.startswith("'{}'"):
        fact = "it is a single value and has no keys of its own"
    return RunnerError(fact, place=place, hint=schema.described(place) or SEE_KEYS)


def _converted(text: str) -> str | None:
    found = re.search(r"Value '(.*)' of type '\w+' (?:could not be converted to|is not) \W*(\w+)", text, re.DOTALL)
    if found:
        return f"{found.group(1)!r} is not {_WANTED.get(found.group(2), found.group(2))}"
    found = re.search(r"Value '(.*)' is not a valid bool", text)
    if found:
        return f"{found.group(1)!r} is not true or false"
    found = re.search(r"Cannot convert '\w+' to (\w+): '(.*)'", text)
    if found:
        return f"{found.group(2)} is not {_WANTED.get(found.group(1).capitalize(), found.group(1))}"
    if "is not a subclass of" in text or re.search(r"Cannot assign \w+ to Dict", text):
        return "keys with values are needed here"
    if "Incompatible value 'None'" in text or "is not Optional" in text:
        return "it cannot be null"
    return None


def _group_needs_name(overrides: Sequence[str]) -> RunnerError:
    for word in overrides:
        key, _, value = word.partition("=")
        if _is_misfit_group(word):
            hint = f"Choose a file of conf/{key}/ and set its keys, as in {key}=NAME {key}.KEY={value or 'VALUE'}."
            if value == "null":
                hint = f"Leave {key} out to have its default."
            elif key == "dropout":
                hint = f"Write dropout=constant dropout.value={value}."
            return RunnerError(f"{value or 'nothing'!r} is no option of the group", place=key, hint=hint)
    return RunnerError(
        "a group takes the name of one of its files", place="command line", hint="See python -m runner --help."
    )


def _is_misfit_group(override: str) -> bool:
    """Whether it gives a group something that cannot be the name of a file."""
    key, _, value = override.partition("=")
    is_name = re.fullmatch(r"[A-Za-z_].*", value) and value.lower() not in ("null", "true", "false", "nan", "inf")
    return bool(re.fullmatch(r"[a-z0-9_]+", key)) and key in group_names() and not is_name


def _raw_at(node: Any, parts: Sequence[str], jumps: int = 5) -> Any:
    """The value as it is written, interpolations unresolved; None where there is none. jumps: references to follow."""
    try:
        plain: Any = OmegaConf.to_container(node, resolve=False)
        for i, part in enumerate(parts):
            plain = plain[part]
            reference = re.fullmatch(r"\$\{([\w.]+)\}", plain) if isinstance(plain, str) else None
            if reference and jumps:  # the pipeline's ${tok2vec}: go on where it leads
                return _raw_at(node, [*reference.group(1).split("."), *parts[i + 1 :]], jumps - 1)
    except (KeyError, TypeError, IndexError, OmegaConfBaseException):
        return None
    return plain


def _full_key(error: BaseException) -> str | None:
    key = getattr(error, "full_key", None)
    if not key:
        found = re.search(r"full_key: (\S+)", str(error))
        key = found.group(1) if found else None
    return str(key) if key else None


def _file_of(error: BaseException) -> str | None:
    """The config file that Hydra was reading."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals:
            return str(frame.f_locals["full_path"])
        if frame.f_code.co_name == "_create_defaults_list" and isinstance(frame.f_locals.get("config_path"), str):
            return f"{frame.f_locals['config_path']}.yaml"
    return None


def _core(text: str) -> str:
    """OmegaConf's message without its preamble and its key lines."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "unknown error")
    return re.sub(r"^\w+ raised while resolving interpolation: ", "", first).split(" expecting {")[0]


def _quoted(text: str) -> str:
    found = re.search(r"'([^']*)'", text)
    return found.group(1) if found else ""


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _first_line(error: BaseException) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return line or type(error).__name__


__all__ = ["explain", "interpolation_error", "is_ours", "option", "with_origin"]
