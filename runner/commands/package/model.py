"""A model as the files and the metadata of a wheel.

    my_model/__init__.py          load(), the same text for every model
    my_model/model/…              the four files of the model folder, checksums compared, and no others
    my_model-1.0.dist-info/       entry point in the group runner.models: my-model = my_model

No code of the model's maker is run or packed. A model that needs some is packed without it, and is loaded with code=[FILE].
"""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from runner import __version__
from runner.commands.package.own import PROJECT
from runner.commands.package.wheel import Wheel
from runner.components.storage import verified_files
from runner.errors import RunnerError
from runner.foreign import shown_name
from runner.tracking.mlflow.carried import code_names, libraries_of
from runner.tracking.mlflow.store import MODEL_FOLDER
from runner.tracking.model_source import PACKAGES, ModelSource, installed_models

_MODULE = '''"""A model trained with declarative-runner. `load()` returns the pipeline; options are those of `runner.load`."""

from pathlib import Path


def load(**options):
    """The pipeline. options: disable, exclude, code, ops, threads, as for runner.load."""
    import runner

    return runner.load(Path(__file__).parent / "model", **options)
'''
_REGISTERED = re.compile(r"models:/([^/@]+)(?:/(\d+)|@.+|/latest)?")
_SCORE = re.compile(r"[a-z]+_[a-z_]*")


@dataclass(frozen=True)
class Wanted:
    """What the user says of the package; None: the default, see `model_wheel`."""

    name: str | None = None
    version: str | None = None
    license: str | None = None
    description: str | None = None
    author: str | None = None


def model_wheel(source: ModelSource, wanted: Wanted) -> tuple[Wheel, list[str]]:
    """The wheel of a model, and the names of the Python files that its user must have beside it.

    Defaults: the name of a registered model, else language and components (`en-tagger-ner`); the version of a registered
    model, else 0.1.0; a description by components, language and scores; neither licence nor author.
    Raises RunnerError if the model is damaged, or a word cannot stand in metadata.
    """
    meta, config, files = verified_files(source.folder)
    registered = _REGISTERED.fullmatch(source.reference)
    components = list(config["components"])
    lang = str(config["lang"])
    default = registered[1] if registered else re.sub(r"[^A-Za-z0-9]+", "-", "-".join([lang, *components])).strip("-")
    name, module = _names(wanted.name or default)
    number = _version(wanted.version or (registered[2] if registered and registered[2] else "0.1.0"))
    described = (
        wanted.description
        or f"{', '.join(map(_cell, components))} for texts in language {lang}, trained with {PROJECT}"
    )
    code = code_names(source.folder)
    headers = [
        ("Metadata-Version", "2.4"),
        ("Name", name),
        ("Version", number),
        ("Summary", _line(described, "--description")),
        *([("License-Expression", _licence(wanted.license))] if wanted.license else []),
        *([("Author", _line(wanted.author, "--author"))] if wanted.author else []),
        ("Requires-Python", ">=3.11"),
        *(("Requires-Dist", requirement) for requirement in _requirements(config)),
        ("Description-Content-Type", "text/markdown"),
    ]
    metadata = (
        "".join(f"{key}: {value}\n" for key, value in headers) + "\n" + "\n".join(_page(name, module, meta, code))
    )
    content = {f"{module}/__init__.py": _MODULE.encode("utf8")}
    content |= {f"{module}/{MODEL_FOLDER}/{file}": data for file, data in files.items()}
    return Wheel(module, number, content, metadata, f"[{PACKAGES}]\n{name} = {module}\n"), code


def _names(text: str) -> tuple[str, str]:
    """The distribution's name, normalized, and its module's. Raises RunnerError if Python or pip could not use it."""
    hint = "Give --name with letters, digits and hyphens: my-model."
    try:
        name = str(canonicalize_name(text, validate=True))
    except InvalidName:
        raise RunnerError(f"{text!r:.80} is no name of a package (PEP 508)", place="--name", hint=hint) from None
    module = name.replace("-", "_")
    if not module.isidentifier() or keyword.iskeyword(module):
        fact = f"{text!r:.80} cannot be imported: {module!r:.80} is no name of a Python module"
        raise RunnerError(fact, place="--name", hint=hint)
    if module in sys.stdlib_module_names or (name not in installed_models() and _is_module(module)):
        fact = f"a module of this name is there already: {module}"
        raise RunnerError(fact, place="--name", hint="Give another --name.")
    return name, module


def _is_module(name: str) -> bool:
    """Whether Python would import a module of this name now. A plain folder in the current folder is none."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _version(text: str) -> str:
    try:
        number = Version(text)
    except InvalidVersion:
        fact = f"{text!r:.80} is no version of a package (PEP 440)"
        raise RunnerError(fact, place="--version", hint="For example 1.0, 1.2.3 or 2.0rc1.") from None
    if number.local is not None:
        fact = f"{text!r:.80} is a local version, which no index takes"
        raise RunnerError(fact, place="--version", hint="For example 1.0, 1.2.3 or 2.0rc1.")
    return str(number)


def _licence(text: str) -> str:
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        hint = "For example MIT, CC-BY-4.0 or LicenseRef-Internal."
        raise RunnerError(f"{text!r:.80} is no SPDX licence", place="--license", hint=hint) from None


def _line(text: str, place: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in text):
        raise RunnerError("the text has a line break or a control character", place=place, hint="Give one line.")
    return text.strip()


def _requirements(config: Mapping[str, Any]) -> Iterator[str]:
    """This project from the version that packs the model, and what the tokenizer needs: it may cut words otherwise in the
    next minor version.
    """
    yield f"{PROJECT}>={__version__}"
    for name in sorted(libraries_of(config)):
        try:
            major, minor = Version(version(name)).release[:2]
            yield f"{name}~={major}.{minor}.0"
        except (PackageNotFoundError, InvalidVersion, ValueError):
            yield name


def _page(name: str, module: str, meta: Mapping[str, Any], code: list[str]) -> Iterator[str]:
    """The long description, as Markdown."""
    given = f"code={code!r}" if code else ""
    yield f"# {name}\n"
    yield "```python"
    yield f"import {module}\n"
    yield f"nlp = {module}.load({given})"
    yield "```\n"
    if code:
        yield f"The model needs Python files of its maker's, which are not in this package: {', '.join(map(_cell, code))}.\n"
    yield "| component | labels |\n| --- | --- |"
    for component, labels in meta["labels"].items():
        listed = ", ".join(f"`{_cell(label)}`" for label in labels[:100])
        yield f"| {_cell(component)} | {listed}{', …' if len(labels) > 100 else ''} |"
    scores = meta.get("scores")
    if isinstance(scores, dict) and scores:
        yield "\n| score on the dev set | value |\n| --- | --- |"
        for key, value in scores.items():
            if isinstance(value, float) and _SCORE.fullmatch(key):
                yield f"| {key} | {value:.4f} |"
    yield ""


def _cell(text: str) -> str:
    """A name in one line and one cell of a table: what would end either is replaced."""
    return re.sub(r"[|`]", "_", shown_name(text))
