"""Overrides and groups that Hydra cannot compose, explained: the word as the user typed it, the fact, and the next move."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import MissingConfigException, OverrideParseException

from runner import synonyms
from runner.config import schema
from runner.config.conf_folder import group_names
from runner.config.known_keys import known_keys, near, with_sections
from runner.config.library_texts import core_text, first_line, quoted, wrong_type
from runner.config.mistyped import mistyped, own_data
from runner.errors import RunnerError, suggest

_PLAIN = re.compile(r"[\w=.,:/@%+\[\]~ -]+")  # what a shell leaves as it is
SEE_KEYS = "`python -m runner --cfg job` prints every key."


def composition(text: str, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError | None:
    """The error behind the text of a ConfigCompositionException; None if only its cause says why."""
    unknown = re.search(r"Could not override '([^']*)'", text)
    if unknown:
        return no_such_key(unknown.group(1), overrides, config_dir)
    if text.startswith("Ambiguous value for argument") or "requires --multirun" in text:
        override = quoted(text) or "it"
        key, _, value = override.partition("=")
        hint = "Add --multirun to run each."
        if re.fullmatch(r"[+-]?0,\d+", value):
            hint = f"Write {key}={value.replace(',', '.')}, or add --multirun to run each."
        elif _may_be_list(key):
            hint = f"Add --multirun to run each, or write a list as '{key}=[{value}]'."
        return RunnerError("several values for one run", place=override, hint=hint)
    existing = re.search(r"Could not append to config. An item is already at '([^']*)'", text)
    if existing:
        return RunnerError(
            "the key exists already", place=f"+{existing.group(1)}", hint="Leave the + out to change it."
        )
    twice = re.match(r"(\S+) appears more than once in the final defaults list", text)
    if twice:
        hint = f"In a preset's defaults, write 'override /{twice.group(1)}: NAME'."
        return RunnerError("the group is chosen twice", place=twice.group(1), hint=hint)
    if text.startswith("Error merging override ~"):
        key = text.partition("~")[2].strip()
        return RunnerError(
            "the key cannot be deleted", place=key, hint=f"Leave ~{key} out, or give {key}=null if null is allowed."
        )
    if text.startswith("Error merging override"):
        return None
    if text.startswith("Sweeping over Hydra"):
        swept = re.search(r": '(.*)'", text)
        place = swept.group(1) if swept else None
        return RunnerError("hydra's own keys take one value", place=place, hint="Sweep over keys of the run.")
    if "does not exist" in text and text.startswith("Override "):
        name = re.search(r"config group '([^']*)'", text)
        return no_such_key(name.group(1) if name else text, overrides, config_dir)
    if text.startswith("Could not delete"):
        gone = quoted(text)
        if schema.manual_entry(gone) is not None:  # a key that holds null looks to Hydra as if it were not there
            return RunnerError("the key cannot be deleted", place=gone, hint=f"Leave ~{gone} out.")
        return RunnerError("there is nothing to delete", place=f"~{gone}", hint=SEE_KEYS)
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
            wrong_type(message) or core_text(message), place=where, hint=schema.described(inside) or SEE_KEYS
        )
    if text and text != "None":
        return RunnerError(text.splitlines()[0], place="command line", hint=SEE_KEYS)
    return None


def _may_be_list(key: str) -> bool:
    """Whether `key` may hold a list; False for a group."""
    entry = schema.manual_entry(key)
    scalars = ("int", "float", "str", "bool")
    return key not in group_names() and (entry is None or entry.type.removesuffix(" or null") not in scalars)


def no_such_key(name: str, overrides: Sequence[str], config_dir: str | Path | None) -> RunnerError:
    """The error of an override `name=…` of a key that is unknown, or cannot be set like this."""
    key, at, package = name.partition("@")
    if package and not any("@" in word for word in overrides):
        # Without that first line, Hydra puts the preset's choices under a key of their own.
        return RunnerError(
            f"the preset sets {key!r}, but its file is not marked as a preset",
            place="experiment",
            hint="Make '# @package _global_' the first line of its file, with nothing before it.",
        )
    known = known_keys(overrides, config_dir)
    if key in known and (at or key in group_names() or any(word.startswith(f"{key}@") for word in overrides)):
        hint = f"Choose a file as in {key}=NAME, and set keys as in {key}.KEY=VALUE."
        if key not in group_names():
            hint = f"Write {key}=VALUE."
        return RunnerError("the key cannot be set like this", place=name, hint=hint)
    value = next((word.partition("=")[2] for word in overrides if word.lstrip("+").partition("=")[0] == name), "")
    if (answer := synonyms.no_key(name)) is not None:
        return RunnerError(f"there is no such key: {answer[0]}", place=name, hint=answer[1])
    here = synonyms.key_here(name, value)
    if here == f"init.model={value}" and synonyms.is_model_of_spacy(value):
        hint = "Leave it out: a run starts from new weights. vectors=spacy takes word vectors of spaCy's models."
        return RunnerError("there is no such key, and spaCy's models are not trained on here", place=name, hint=hint)
    if here is not None:
        own = here.split(" ")[-1].partition("=")[0] if "{" not in here else here.partition("=")[0]
        return RunnerError(f"there is no such key; here it is {own!r}", place=name, hint=_write(here))
    question = near(key, known)
    hint = SEE_KEYS
    if value and (guess := quoted(question)) and guess not in group_names() and "." in guess:
        hint = f"{_write(f'{guess}={value}')} {SEE_KEYS}"
    return RunnerError(f"there is no such key{question}", place=name or "command line", hint=hint)


def _write(override: str) -> str:
    """The hint to write this override, or these."""
    is_one = override.count("=") == 1 or "{" in override
    needs_quotes = is_one and not _PLAIN.fullmatch(override)
    return f"Write {shlex.quote(override) if needs_quotes else override}."


def missing_config(error: MissingConfigException, overrides: Sequence[str]) -> RunnerError:
    """The error of a file of conf/ that does not exist: an option of a group, or the config that a run starts from."""
    missing = str(error.missing_cfg_file or "")
    group, _, name = missing.rpartition("/")
    if not group:
        if str(error).startswith("Primary config"):
            return RunnerError(first_line(error), place="--config-path", hint="Give a folder that exists.")
        return RunnerError(f"there is no config {name!r}", place="--config-name", hint="Leave the option out.")
    source = re.match(r"In '([^']*)'", str(error))
    typed = next((word for word in overrides if re.match(rf"\+?{group.partition('/')[0]}=", word)), None)
    is_typed = typed is not None and name in re.split(r"[=,\[\]\s]+", typed)
    if typed is not None and (answer := _meant(typed)) is not None:
        return answer
    place = group if is_typed or source is None else f"{source.group(1)}.yaml"
    known = sorted(error.options or ())
    nearest = suggest(name, known)
    if nearest.startswith("did you mean"):
        hint = f"Write {group}={quoted(nearest)}. Known: {', '.join(known)}."
        return RunnerError(f"unknown {group} {name!r}; {nearest.partition('?')[0]}?", place=place, hint=hint)
    return RunnerError(f"unknown {group} {name!r}", place=place, hint=f"Known: {', '.join(known) or 'none'}.")


def _meant(override: str) -> RunnerError | None:
    """The error of `group=NAME` where NAME is another tool's name of a choice, or a file; None if it is neither."""
    group, _, name = override.lstrip("+").partition("=")
    if group == "corpus" and (data := own_data(Path(name))) is not None:
        return RunnerError(
            f"{name} is no data set with a name, but data of your own", place=group, hint=f"Write {data}"
        )
    if group == "compute" and (answer := synonyms.no_key(name)) is not None:
        return RunnerError(f"unknown compute {name!r}: {answer[0]}", place=group, hint=answer[1])
    if (choice := synonyms.option_here(group, name)) is not None:
        hint = f"Write {group}={choice}."
        return RunnerError(f"unknown {group} {name!r}; the nearest here is {choice!r}", place=group, hint=hint)
    if group in ("vectors", "tok2vec", "pipeline") and synonyms.is_model_of_spacy(name):
        hint = f"Its word vectors are taken by vectors=spacy vectors.model={name}"
        return RunnerError(f"unknown {group} {name!r}; it is a model of spaCy's", place=group, hint=hint)
    return None


def unreadable_override(error: OverrideParseException, overrides: Sequence[str]) -> RunnerError:
    """The error of a word on the command line that Hydra's grammar refuses."""
    override = error.override
    if (slip := mistyped(overrides)) is not None:
        return slip
    if "=" not in override and not override.startswith("~"):
        return RunnerError(
            "the word is not understood",
            place=repr(override),
            hint="Overrides are KEY=VALUE; see python -m runner --help.",
        )
    parser_text = re.search(
        r"^(mismatched|missing|extraneous|no viable|token recognition).*$", str(error.message), re.MULTILINE
    )
    reason = re.split(r" expecting| at input", parser_text.group(0))[0] if parser_text else "the word cannot be parsed"
    hint = "Put special characters in quotes: \"key='a=b'\"."
    mended = re.sub(r"(?<=[\w/])\[([^\[\]]*)\](?=[\w/]*:)", r"\\[\1\\]", override)
    if mended != override:  # a pattern of paths as a key, such as {encoder/layer[0-3]: 0.1}
        hint = _write(mended)
    return RunnerError(reason, place=repr(override), hint=hint)


def group_needs_name(overrides: Sequence[str]) -> RunnerError:
    """The error of an override that gives a group a value instead of the name of one of its files."""
    for word in overrides:
        key, _, value = word.partition("=")
        if is_misfit_group(word):
            hint = f"Choose a file of conf/{key}/ and set its keys, as in {key}=NAME {key}.KEY={value or 'VALUE'}."
            if value == "null":
                hint = f"Leave {key} out to have its default."
            elif key in synonyms.NUMBERS and re.fullmatch(r"[\d.e-]+", value):
                hint = _write(synonyms.NUMBERS[key].replace(synonyms.VALUE, value))
            elif (choice := synonyms.option_here(key, value)) is not None:
                hint = _write(f"{key}={choice}")
            return RunnerError(f"{value or 'nothing'!r} is no option of the group", place=key, hint=hint)
    return RunnerError(
        "a group takes the name of one of its files", place="command line", hint="See python -m runner --help."
    )


def is_misfit_group(override: str) -> bool:
    """Whether the override gives a group a value that cannot be the name of a file."""
    key, _, value = override.partition("=")
    is_name = re.fullmatch(r"[A-Za-z_].*", value) and value.lower() not in ("null", "true", "false", "nan", "inf")
    return bool(re.fullmatch(r"[a-z0-9_]+", key)) and key in group_names() and not is_name
