"""Tag maps: the universal tag and features of each fine tag.

    NN: NOUN
    NNS: {pos: NOUN, Number: Plur}
    "PRP$": {pos: PRON, feats: "Poss=Yes|PronType=Prs"}
    "*": X

A map is a YAML or JSON file, a bundled file (tag_maps/), or a mapping in the config itself. The `*` line covers every tag
without a line; a map without `*` must list all tags of the training data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import srsly
import yaml

from runner import bounded_yaml
from runner.errors import RunnerError, suggest
from runner.files import read_file

BUNDLED = Path(__file__).parent / "tag_maps"
REST = "*"
UNIVERSAL_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
)  # fmt: skip


class TagMap:
    """tag → (universal tag, features "Name=Value|Name=Value" in the order of their names, or None).

    place: the file or config key, for errors.
    """

    def __init__(self, entries: Mapping[Any, Any], place: str) -> None:
        self.place = place
        self.entries: dict[str, tuple[str, str | None]] = {}
        if not entries:
            raise RunnerError("the tag map is empty", place=place, hint="Give it a line a tag: NN: NOUN.")
        for tag, value in entries.items():
            if not isinstance(tag, str):
                raise RunnerError(
                    f"the tag {tag!r} is no text", place=place, hint="YAML reads some words as values; quote the tag."
                )
            self.entries[tag] = _entry(tag, value, place)

    def check(self, tags: Iterable[str]) -> None:
        """Raise RunnerError that names the tags without an entry, if there are any."""
        if REST in self.entries:
            return
        missing = sorted({tag for tag in tags if tag not in self.entries})
        if missing:
            shown = ", ".join(map(repr, missing[:20])) + (", …" if len(missing) > 20 else "")
            raise RunnerError(
                f"the tag map has no entry for {len(missing)} tag{'s' if len(missing) > 1 else ''}: {shown}",
                place=self.place,
                hint=f'Add {"them" if len(missing) > 1 else "it"}, or a line for the rest: "{REST}": X.',
            )

    def __getitem__(self, tag: str) -> tuple[str, str | None]:
        """(universal tag, features). The tag must have passed `check`."""
        return self.entries.get(tag) or self.entries[REST]

    def as_block(self) -> dict[str, str | dict[str, str]]:
        """The map in the form that a config holds."""
        return {
            tag: {"pos": pos, "feats": feats} if feats is not None else pos
            for tag, (pos, feats) in self.entries.items()
        }


def read_tag_map(source: str | Mapping[str, Any], place: str) -> TagMap:
    """Read a tag map from a file, a bundled map's name, or a mapping. place: the config key, for errors.

    Raises RunnerError if the file is missing or damaged, or an entry is not a universal tag with features.
    """
    if isinstance(source, Mapping):
        return TagMap(source, place)
    known = sorted(file.stem for file in BUNDLED.glob("*.yaml"))
    path = BUNDLED / f"{source}.yaml" if source in known else Path(source)
    try:
        text = read_file(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if "/" in source or path.suffix:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise RunnerError(
                f"the tag map {source} cannot be read ({reason})", place=place, hint="Check the path."
            ) from None
        raise RunnerError(
            f"there is no tag map {source!r}; {suggest(source, known)}",
            place=place,
            hint="Give one of these names, a path, or the map itself.",
        ) from None
    try:
        entries = srsly.json_loads(text) if path.suffix == ".json" else bounded_yaml.read(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        raise RunnerError(
            "the tag map is neither YAML nor JSON" if path.suffix != ".json" else "the tag map is not JSON",
            place=f"{path}:{mark.line + 1}" if mark is not None else str(path),
            hint=str(getattr(error, "problem", None) or error).split("\n")[0],
        ) from None
    if not isinstance(entries, Mapping):
        raise RunnerError("the tag map is no mapping", place=str(path), hint="Give it a line a tag: NN: NOUN.")
    return TagMap(entries, str(path))


def _entry(tag: str, value: Any, place: str) -> tuple[str, str | None]:
    if isinstance(value, str):
        return _universal(tag, value, place), None
    if not isinstance(value, Mapping):
        raise RunnerError(
            f"{value!r} for the tag {tag!r} is no universal tag", place=place, hint="Write NN: NOUN or NN: {pos: NOUN}."
        )
    features: dict[str, str] = {}
    pos: Any = None
    for name, feature in value.items():
        if str(name).lower() == "pos":
            pos = feature
            continue
        pairs = str(feature).split("|") if name == "feats" else [f"{name}={feature}"]
        for pair in pairs:
            key, _, what = pair.partition("=")
            if (
                feature is None
                or isinstance(feature, bool)
                or not key
                or not what
                or set(pair) & set(" |\t\n")
                or "=" in what
            ):
                raise RunnerError(
                    f"{name}: {feature!r} for the tag {tag!r} is no feature",
                    place=place,
                    hint='Write Name: Value, or feats: "Name=Value|Name=Value"; quote "Yes", "No", "On" and "Off".',
                )
            features[key] = what
    if pos is None:
        raise RunnerError(f"the tag {tag!r} has no pos", place=place, hint=f"Write {tag}: {{pos: NOUN, …}}.")
    universal = _universal(tag, pos, place)
    return universal, "|".join(f"{key}={features[key]}" for key in sorted(features, key=str.lower)) or None


def _universal(tag: str, pos: Any, place: str) -> str:
    if pos not in UNIVERSAL_TAGS:
        raise RunnerError(
            f"{pos!r} for the tag {tag!r} is no universal tag; {suggest(str(pos), UNIVERSAL_TAGS)}", place=place
        )
    return str(pos)
