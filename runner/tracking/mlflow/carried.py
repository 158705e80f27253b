"""The code that travels with a logged model, so that it loads where this project is not installed.

    code/runner.zip    this package's Python files; MLflow puts the zip on sys.path, from where Python imports them
    code/NAME.py       the user's files of `code:` that the model cannot be built without

One zip in place of 280 files: a store on a server takes each file in a request of its own. It has the same bytes every
time. The user's files are in the run's journal, as a file outside the run's folder is never sent.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import runner
from runner.components.storage import CONFIG
from runner.files import files_below, read_file
from runner.user_code import loaded_code

FOLDER = "code"
PACKAGE = f"{FOLDER}/runner.zip"
_LEFT_OUT = ("__pycache__", "sample", "conf")  # folders that no prediction needs
_KINDS = (".py", ".yaml")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold


def code_of(model: Path) -> dict[str, str]:
    """The user's files of `code:` that a model folder names: name → content, of those that this process has run."""
    return {Path(file).name: read_file(Path(file)).decode("utf8") for file in loaded_code(code_names(model))}


def code_names(model: Path) -> list[str]:
    """The names of the user's files that a model folder needs; none if its config cannot be read."""
    names = config_of(model).get("code", [])
    names = names if isinstance(names, list) else []
    return [name for name in names if isinstance(name, str) and name == Path(name).name and name.endswith(".py")]


def config_of(model: Path) -> dict[str, object]:
    """The config of a model folder; empty if it cannot be read."""
    try:
        config = json.loads(read_file(model / CONFIG))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def libraries_of(config: Mapping[str, object]) -> Iterator[str]:
    """The distributions that a model's tokenizer and token vectors need beyond what every model needs, each once.

    config: of the model folder.
    """
    from runner import registry
    from runner.errors import RunnerError

    components = config.get("components")
    blocks = [block for block in components.values() if isinstance(block, dict)] if isinstance(components, dict) else []
    named = [
        (registry.tokenizers, config.get("tokenizer")),
        *((registry.tok2vecs, one.get("tok2vec")) for one in blocks),
    ]
    found: dict[str, None] = {}
    for table, block in named:
        if isinstance(block, dict):
            with suppress(RunnerError):  # an entry of the user's own
                found |= dict.fromkeys(registry.libraries_of(table.get(str(block.get("type")))))
    yield from found


@functools.cache
def package_zip() -> bytes:
    """This package's files in a zip."""
    root = Path(runner.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, path in files_below(root, _LEFT_OUT):
            if path.suffix in _KINDS:
                entry = zipfile.ZipInfo(f"{root.name}/{name}", _LONG_AGO)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                package.writestr(entry, path.read_bytes())
    return content.getvalue()
