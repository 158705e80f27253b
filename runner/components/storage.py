"""A model on disk is a folder that holds data and nothing that runs:

    config.yaml       the config that builds the pipeline
    meta.json         labels, checksums, versions, and what the trainer adds (scores, data digests)
    weights.msgpack   every parameter by its path: shape, and float32 values in little-endian order
    lexemes.msgpack   which words were seen in training, and how often: 64-bit hashes and counts, little-endian

It is written beside its place and renamed, so that a folder with the right name is complete.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import srsly
import yaml

from runner.errors import RunFailed, RunnerError
from runner.files import write_file, write_folder

if TYPE_CHECKING:
    from runner.components.pipeline import Pipeline

CONFIG, META, WEIGHTS, LEXEMES = "config.yaml", "meta.json", "weights.msgpack", "lexemes.msgpack"
_FORMAT = 1


def weights_sha256(pipeline: Pipeline) -> str:
    """Digest of all weights in the order of their paths."""
    digest = hashlib.sha256()
    for path, view in sorted(pipeline.parameters.views(pipeline.parameters.weights).items()):
        digest.update(path.encode("utf8"))
        digest.update(np.ascontiguousarray(view, dtype="<f4").tobytes())
    return digest.hexdigest()


def save(pipeline: Pipeline, path: Path) -> None:
    """Write the folder. Raises RunFailed where a weight is not finite, or the disk refuses."""
    if not np.isfinite(pipeline.parameters.weights).all():
        raise RunFailed("a weight is not finite, so the model is not saved", place=str(path))
    views = pipeline.parameters.views(pipeline.parameters.weights)
    packed = srsly.msgpack_dumps(
        {
            name: {"shape": list(view.shape), "data": np.ascontiguousarray(view, dtype="<f4").tobytes()}
            for name, view in sorted(views.items())
        }
    )
    frequencies = pipeline.lexemes.frequencies
    lexemes = srsly.msgpack_dumps(
        {
            "norms": np.fromiter(sorted(frequencies), "<u8", len(frequencies)).tobytes(),
            "counts": np.array([frequencies[norm] for norm in sorted(frequencies)], dtype="<u8").tobytes(),
        }
    )
    meta = {
        **pipeline.meta,
        "format": _FORMAT,
        "lang": pipeline.lang,
        "labels": {name: component.labels for name, component in pipeline.components.items()},
        "weights_sha256": weights_sha256(pipeline),
        "file_sha256": {WEIGHTS: hashlib.sha256(packed).hexdigest(), LEXEMES: hashlib.sha256(lexemes).hexdigest()},
        "versions": {name: _version(name) for name in ("declarative-runner", "thinc", "numpy")},
    }

    def fill(folder: Path) -> None:
        write_file(folder / CONFIG, yaml.safe_dump(pipeline.describe(), sort_keys=False, allow_unicode=True))
        write_file(folder / META, srsly.json_dumps(meta, indent=2))
        write_file(folder / WEIGHTS, packed)
        write_file(folder / LEXEMES, lexemes)

    write_folder(path, fill)


def load(path: Path) -> Pipeline:
    """Read a folder that `save` wrote.

    Raises RunnerError where a file is missing, damaged, or does not fit the others.
    """
    from runner.components.pipeline import Pipeline

    if not path.is_dir():
        raise RunnerError("there is no model folder here", place=str(path), hint="Give a folder such as model-best.")
    config = _mapping(path / CONFIG, lambda data: yaml.safe_load(data))
    meta = _mapping(path / META, lambda data: srsly.json_loads(data))
    if meta.get("format") != _FORMAT:
        raise RunnerError(f"model format {meta.get('format')!r} is not {_FORMAT}", place=str(path / META))
    packed, lexemes = (_verified(path / name, meta) for name in (WEIGHTS, LEXEMES))
    try:
        pipeline = Pipeline(
            str(config["lang"]), tokenizer=config["tokenizer"], shared_tok2vec=config.get("shared_tok2vec", False)
        )
        for name, block in config["components"].items():
            component = pipeline.add_pipe(name, block)
            for label in meta["labels"][name]:
                component.add_label(label)
        weights, words = srsly.msgpack_loads(packed), srsly.msgpack_loads(lexemes)
        norms, counts = (np.frombuffer(words[key], dtype="<u8").tolist() for key in ("norms", "counts"))
        pipeline.lexemes.frequencies = dict(zip(norms, counts, strict=True))
        pipeline._build()
        values = {name: _array(entry) for name, entry in weights.items()}
        layout = pipeline.parameters.layout
        if {name: value.shape for name, value in values.items()} != {
            name: shape for name, (_, shape) in layout.items()
        }:
            raise RunnerError("the weights do not fit the config and the labels", place=str(path))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunnerError(f"this is not a complete model ({type(error).__name__}: {error})", place=str(path)) from error
    pipeline.parameters.load(values)
    pipeline.meta = {
        key: value for key, value in meta.items() if key not in ("labels", "format", "file_sha256", "versions", "lang")
    }
    return pipeline


def _array(entry: Any) -> np.ndarray:
    shape = tuple(int(n) for n in entry["shape"])
    data = entry["data"]
    if prod(shape) * 4 != len(data):
        raise ValueError("a shape does not fit its data")
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def _verified(path: Path, meta: dict[str, Any]) -> bytes:
    data = _read(path)
    sums = meta.get("file_sha256")
    if not isinstance(sums, dict) or hashlib.sha256(data).hexdigest() != sums.get(path.name):
        raise RunnerError(
            "the file is damaged: its checksum is not the one in meta.json",
            place=str(path),
            hint="Copy the folder again, or train again.",
        )
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunnerError(f"cannot read: {error.strerror}", place=str(path)) from error


def _mapping(path: Path, parse: Any) -> dict[str, Any]:
    try:
        value = parse(_read(path))
    except RunnerError:
        raise
    except Exception as error:  # whatever the parser calls it, the file is damaged
        raise RunnerError("the file is damaged", place=str(path), hint=str(error).split("\n")[0]) from error
    if not isinstance(value, dict):
        raise RunnerError("the file is damaged: it holds no mapping", place=str(path))
    return value


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
