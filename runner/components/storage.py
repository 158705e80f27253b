"""A model on disk is a folder that holds data and nothing that runs:

    config.json       the config that builds the pipeline
    meta.json         labels, versions, what the trainer adds (scores, data digests), and checksums of the files
    weights.msgpack   every parameter by its path: shape, and float32 values in little-endian order
    lexemes.msgpack   which words were seen in training, and how often: 64-bit hashes and counts, little-endian; `own` has
                      the same for components that have learned from other data than the rest
    files.msgpack     where components need any, further files: the config and tokenizer of an encoder (carried.py)

The folder is written under another name and renamed, so that a folder with the right name is complete. A damaged folder is
refused as a whole. Checksums are no signature: the files of a stranger may fit together and still be made to do harm. So
nothing in the folder is run, no file but these is read, and sizes are checked against the config before anything is
allocated. If the config names files of `code:`, the caller must give them (`runner.load(path, code=[...])`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import inf, prod
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import srsly
from numpy.typing import NDArray
from srsly.msgpack import unpackb

from runner.blocks import check
from runner.components.base import Component
from runner.components.carried import CARRIED, MAX_CARRIED, give_files, packed_files
from runner.components.known_words import own_counts, packed_counts, read_counts
from runner.components.network import Network
from runner.corpus.lexemes import Lexemes
from runner.errors import RunFailed, RunnerError
from runner.files import write_file, write_folder
from runner.languages import in_language
from runner.model.ops import make_ops
from runner.model.parameters import Parameters, Shape
from runner.user_code import load_code

CONFIG, META, WEIGHTS, LEXEMES = "config.json", "meta.json", "weights.msgpack", "lexemes.msgpack"
FILES = (CONFIG, META, WEIGHTS, LEXEMES)
# 6: the model carries files, which a reader of format 5 does not know; 5: components have word counts of their own; else 4
_FORMAT = 6
_READ = (3, 4, 5, 6)
_YAML_CONFIG = "config.yaml"  # of models of format 3
_MAX_BYTES = {CONFIG: 4 << 20, META: 16 << 20, WEIGHTS: 4 << 30, LEXEMES: 1 << 27, CARRIED: MAX_CARRIED}
_MAX_BYTES[_YAML_CONFIG] = 1 << 20
_MAX_PATHS = 10_000  # parameters of a model
_OWN_META = ("labels", "format", "file_sha256", "meta_sha256", "versions", "lang")


class Stored(Protocol):
    """What is kept of a pipeline."""

    lang: str
    meta: dict[str, Any]
    components: dict[str, Component]
    network: Network

    @property
    def parameters(self) -> Parameters: ...

    @property
    def lexemes(self) -> Lexemes: ...

    def describe(self) -> dict[str, Any]: ...

    def add_pipe(self, name: str, config: Mapping[str, Any]) -> Component: ...


P = TypeVar("P", bound=Stored)


def weights_sha256(pipeline: Stored) -> str:
    """Digest of all weights in the order of their paths."""
    digest = hashlib.sha256()
    for path, view in sorted(pipeline.parameters.all_values().items()):
        digest.update(path.encode("utf8"))
        digest.update(np.ascontiguousarray(view, dtype="<f4").tobytes())
    return digest.hexdigest()


def save(pipeline: Stored, path: Path) -> None:
    """Write the folder. Raises RunFailed if a weight is not finite, a file is too large to be read, or the disk refuses."""
    write(contents(pipeline, str(path)), path)


def contents(pipeline: Stored, place: str) -> dict[str, bytes]:
    """The content of the files by name. place: named in errors. Raises RunFailed as `save` does."""
    if not np.isfinite(pipeline.parameters.weights).all():
        raise RunFailed("a weight is not finite, so the model is not saved", place=place)
    views = pipeline.parameters.all_values()
    weights = srsly.msgpack_dumps(
        {
            name: {"shape": list(view.shape), "data": np.ascontiguousarray(view, dtype="<f4").tobytes()}
            for name, view in sorted(views.items())
        }
    )
    own = {name: packed_counts(counts) for name, counts in sorted(pipeline.network.words.own.items())}
    carried = packed_files(pipeline.components)
    lexemes = srsly.msgpack_dumps({**packed_counts(pipeline.lexemes.frequencies), **({"own": own} if own else {})})
    files = {CONFIG: _as_json(pipeline.describe()), WEIGHTS: weights, LEXEMES: lexemes}
    if carried is not None:
        files[CARRIED] = carried
    meta = {
        **pipeline.meta,
        "format": _FORMAT if carried is not None else 5 if own else 4,
        "lang": pipeline.lang,
        "labels": {name: component.labels for name, component in pipeline.components.items()},
        "weights_sha256": weights_sha256(pipeline),
        "file_sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "versions": {name: _version(name) for name in ("declarative-runner", "thinc", "numpy")},
    }
    meta["meta_sha256"] = _meta_sha256(json.loads(json.dumps(meta)))
    files[META] = _as_json(meta)
    for name, content in files.items():
        if len(content) > _MAX_BYTES[name]:
            raise RunFailed(
                f"{name} would have {len(content):,} bytes; more than {_MAX_BYTES[name]:,} are not read again",
                place=place,
                hint="Use fewer labels, words or weights.",
            )
    return files


def write(files: Mapping[str, bytes], path: Path) -> None:
    """Write the files of `contents` as a model folder."""

    def fill(folder: Path) -> None:
        for name, content in files.items():
            write_file(folder / name, content)

    write_folder(path, fill)


def load_into(make: Callable[..., P], path: Path, code: Sequence[str | Path], ops: str, threads: int | None) -> P:
    """Read a folder that `save` wrote.

    make: the pipeline's class. code: Python files to run first, if the model cannot be built without them; files that only
    the model names are never run. ops, threads: see Pipeline.
    Raises RunnerError if a file is missing, damaged, or does not fit the others, or if the model needs more code.
    """
    make_ops(ops)  # here, because the error of a missing library is not about the model
    meta = _read_meta(path)
    config_name = CONFIG if meta["format"] > 3 else _YAML_CONFIG
    config = _mapping(path, config_name, _verified(path, config_name, meta))
    _take_code(config, code, path / config_name)
    try:
        lang, blocks = config["lang"], _blocks(config["components"])
        shared = config.get("shared_tok2vec", False)
        if not isinstance(lang, str) or not isinstance(shared, bool):
            raise TypeError("lang or shared_tok2vec is of another kind")
        check(config["tokenizer"], "tokenizers", "tokenizer")
        # A model that names no language for its tokenizer was trained when that was English whatever `lang` said.
        tokenizer = in_language(config["tokenizer"], "en")
        pipeline = make(lang, tokenizer=tokenizer, shared_tok2vec=shared, ops=ops, threads=threads)
        for name, block in blocks.items():
            pipeline.add_pipe(name, block).add_labels(_labels(meta["labels"][name]))
        carried = unpacked(_verified(path, CARRIED, meta)) if _carries(meta) else {}
        give_files(pipeline.components, carried)
        words = unpacked(_verified(path, LEXEMES, meta))
        pipeline.network.lexemes = Lexemes(read_counts(words))
        pipeline.network.words.own.update(own_counts(words, blocks))
        pipeline.network.build(given=lambda shapes: _weights(path, meta, shapes))
    except RunnerError as error:
        raise error if str(path) in (error.place or "") else _at(error, path / config_name) from error.__cause__
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise RunnerError(
            f"this is not a complete model ({type(error).__name__}: {error})", place=str(path), hint="Train again."
        ) from error
    pipeline.meta = {key: value for key, value in meta.items() if key not in _OWN_META}
    if not _are_temperatures(meta.get("temperatures", {}), blocks):
        raise _damaged(path / META, "'temperatures' is no mapping of components to positive numbers")
    return pipeline


def verified_files(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """meta.json, the config, and the content of all files of a model folder by name; nothing is built or run.

    Raises RunnerError if a file is missing or damaged, or the model is of a newer version.
    """
    meta = _read_meta(path)
    config_name = CONFIG if meta["format"] > 3 else _YAML_CONFIG
    names = (config_name, WEIGHTS, LEXEMES, *([CARRIED] if _carries(meta) else []))
    files = {name: _verified(path, name, meta) for name in names}
    config = _mapping(path, config_name, files[config_name])
    try:
        if not isinstance(config["lang"], str) or set(_blocks(config["components"])) != set(meta["labels"]):
            raise ValueError("the components are others than those with labels")
        for labels in meta["labels"].values():
            _labels(labels)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fact = f"this is not a complete model ({type(error).__name__}: {error})"
        raise RunnerError(fact, place=str(path), hint="Train again.") from None
    return meta, config, {**files, META: _read(path, META)}


def _read_meta(path: Path) -> dict[str, Any]:
    """meta.json, its checksum compared. Raises RunnerError, also if this version cannot read the model."""
    if not path.is_dir():
        raise RunnerError("there is no model folder here", place=str(path), hint="Give a folder such as model-best.")
    meta = _mapping(path, META, _read(path, META))
    kind = meta.get("format")
    if isinstance(kind, int) and kind > _FORMAT:
        fact = f"the model was written by a newer version of runner (format {kind}; this version reads 3 to {_FORMAT})"
        raise RunnerError(fact, place=str(path / META), hint="Install a newer version of runner.")
    if kind not in _READ:
        fact = f"model format {kind!r:.40} is none of 3 to {_FORMAT}"
        raise RunnerError(fact, place=str(path / META), hint="Train again.")
    if _meta_sha256(meta) != meta.get("meta_sha256"):
        raise _damaged(path / META, "its checksum is not the one that it holds")
    return meta


def _carries(meta: Mapping[str, Any]) -> bool:
    sums = meta.get("file_sha256")
    return isinstance(sums, dict) and CARRIED in sums


def _take_code(config: Mapping[str, Any], code: Sequence[str | Path], place: Path) -> None:
    """Run the files that the caller gave. place: the config's. Raises RunnerError if the model needs other files."""
    named = config.get("code", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise RunnerError("'code' is no list of file names", place=str(place), hint="Train again.")
    missing = sorted(set(named) - {Path(file).name for file in code})
    if missing:
        raise RunnerError(
            f"the model cannot be built without Python code of its maker's: {', '.join(missing):.200}",
            place=str(place),
            hint=f"Where you know and trust it, give it: runner.load(path, code=[{missing[0]!r:.80}]), or --code.",
        )
    load_code([str(file) for file in code])


def _blocks(components: Any) -> dict[str, dict[str, Any]]:
    """The components' blocks. Raises ValueError if a block names a file."""
    for name, block in components.items():
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"{name!r} is no name of a component")
        if isinstance(block.get("tag_map"), str):
            raise ValueError(f"the tag map of {name!r} lies outside the model")
    return dict(components)


def _are_temperatures(values: Any, names: Collection[str]) -> bool:
    """Whether `values` maps some of the components to temperatures; see calibrate.py."""
    return isinstance(values, dict) and all(
        name in names and isinstance(value, float) and 0 < value < inf for name, value in values.items()
    )


def _labels(labels: Any) -> list[str]:
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TypeError("a label is no text")
    if len(set(labels)) < len(labels):
        raise ValueError("a label stands twice")
    return labels


def _weights(path: Path, meta: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
    """The values of all parameters by path. The file's size is checked against the shapes before it is read."""
    misfit = RunnerError("the weights do not fit the config and the labels", place=str(path), hint="Train again.")
    wanted = sum(4 * prod(shape) + len(name.encode("utf8")) for name, shape in shapes.items())
    if len(shapes) > _MAX_PATHS:
        raise misfit
    if not wanted <= _size(path, WEIGHTS) <= wanted + 100 * len(shapes) + 100:
        raise _damaged(path / WEIGHTS, "its size does not fit the config and the labels")
    entries = unpacked(_verified(path, WEIGHTS, meta))
    values = {str(name): _array(entry) for name, entry in entries.items()}
    if {name: value.shape for name, value in values.items()} != dict(shapes):
        raise misfit
    if not all(np.isfinite(value).all() for value in values.values()):
        raise RunnerError("a weight is not finite", place=str(path / WEIGHTS), hint="Train again.")
    return values


def _array(entry: Any) -> NDArray[np.float32]:
    shape = tuple(int(n) for n in entry["shape"])
    data = entry["data"]
    if min((0, *shape)) < 0 or prod(shape) * 4 != len(data):
        raise ValueError("a shape does not fit its data")
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def unpacked(packed: bytes) -> dict[str, Any]:
    """A map of names. The hook bypasses srsly's decoders; the limits refuse headers that promise more than the file holds."""
    try:
        content = unpackb(
            packed, raw=False, object_pairs_hook=dict, max_array_len=8, max_map_len=_MAX_PATHS, max_ext_len=0
        )
    except Exception as error:  # msgpack's own kinds of faults
        raise ValueError(f"it cannot be unpacked: {str(error)[:100] or type(error).__name__}") from None
    if not isinstance(content, dict):
        raise TypeError("it holds no map")
    return content


def _verified(folder: Path, name: str, meta: Mapping[str, Any]) -> bytes:
    data = _read(folder, name)
    sums = meta.get("file_sha256")
    if not isinstance(sums, dict) or hashlib.sha256(data).hexdigest() != sums.get(name):
        raise _damaged(folder / name, "its checksum is not the one in meta.json")
    return data


def _size(folder: Path, name: str) -> int:
    """Bytes of one of the files. Raises RunnerError if it is no file, lies outside the folder or is too large."""
    path = folder / name
    try:
        if path.resolve().parent != folder.resolve():
            raise RunnerError("the file is a link that leads out of the folder", place=str(path), hint="Copy it there.")
        size = path.stat().st_size
        if not path.is_file():
            raise RunnerError("this is no file", place=str(path), hint="Copy the folder again, or train again.")
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise RunnerError(
            f"cannot read: {getattr(error, 'strerror', None) or error}", place=str(path), hint="Check the folder."
        ) from error
    if size > _MAX_BYTES[name]:
        raise RunnerError(
            f"the file has {size:,} bytes; more than {_MAX_BYTES[name]:,} are not read",
            place=str(path),
            hint="Check it.",
        )
    return size


def _read(folder: Path, name: str) -> bytes:
    _size(folder, name)
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise RunnerError(
            f"cannot read: {error.strerror}", place=str(folder / name), hint="Check the folder."
        ) from error


def _mapping(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        value = _yaml(data) if name == _YAML_CONFIG else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(folder / name, str(error).split("\n")[0]) from error
    if not isinstance(value, dict):
        raise _damaged(folder / name, "it holds no mapping")
    return value


def _yaml(data: bytes) -> Any:
    import yaml

    from runner import bounded_yaml

    try:
        return bounded_yaml.read(data)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _as_json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode("ascii")


def _meta_sha256(meta: Mapping[str, Any]) -> str:
    """Digest of all values in meta.json except this digest, however they are formatted."""
    rest = {key: value for key, value in meta.items() if key != "meta_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode("ascii")).hexdigest()


def _damaged(path: Path, fact: str) -> RunnerError:
    return RunnerError(f"the file is damaged: {fact}", place=str(path), hint="Copy the folder again, or train again.")


def _at(error: RunnerError, config: Path) -> RunnerError:
    """The same error, placed at the model's config."""
    fact = f"{error.place}: {error.fact}" if error.place else error.fact
    return type(error)(fact, place=str(config), hint=error.hint)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
