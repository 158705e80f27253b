"""A run's fingerprint: one short digest of all that decides about its bits. Two runs with equal fingerprints are one run.

It covers the settings (the config without paths, tracking, checkpoints, the error page and the handling of a sweep's jobs;
the user's code), the data files' checksums, and the source of this package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import runner
from runner.config.schema import RunConfig
from runner.corpus.datasets import SourceFile
from runner.corpus.digests import sha256_of
from runner.files import read_file
from runner.model.encoder.pretrained import KEYS as ENCODER_FILES
from runner.secrets import is_secret_name
from runner.tracking.initial import initial_model

_FREE = (
    "output_dir",
    "resume",
    "tracking",
    "code",
    "force",
    "fail_fast",
    "repeat",
)  # keys that do not touch the result
_FREE_TRAINING = ("checkpoint_seconds", "checkpoint_steps", "errors")
_DIGITS = 16  # of a fingerprint


def settings(config: RunConfig) -> dict[str, Any]:
    """The settings that decide about the bits: dotted key → plain JSON value. `code` holds checksums of the user's files."""
    plain = {key: value for key, value in config.as_dict().items() if key not in _FREE}
    plain["training"] = {key: value for key, value in plain["training"].items() if key not in _FREE_TRAINING}
    plain["corpus"] = {key: value for key, value in plain["corpus"].items() if key != "score_test"}
    if config.init.model is not None:  # the model counts, not its name
        plain["init"] = {**plain["init"], "model": initial_model(config.init.model, config.tracking.get("uri")).digest}
    if config.init.tok2vec is not None:
        source = initial_model(config.init.tok2vec, config.tracking.get("uri"), "init.tok2vec")
        plain["init"] = {**plain["init"], "tok2vec": source.digest}
    if config.teacher.model is not None:
        teacher = initial_model(config.teacher.model, config.tracking.get("uri"), "teacher.model").digest
        plain["teacher"] = {**plain["teacher"], "model": teacher}
    plain = _with_digests(plain)
    plain["code"] = [sha256_of(Path(path).expanduser()) for path in config.code]
    flat = dict(_flat(plain, ""))
    given = dict(_flat(config.resolved, ""))
    for key, value in flat.items():  # an ${oc.env:…} counts with the value that the environment gave it
        if (
            isinstance(value, str)
            and "${oc.env:" in value
            and not is_secret_name(value.split("oc.env:")[1].split("}")[0])
        ):
            flat[key] = f"{value} = {hashlib.sha256(str(given.get(key)).encode('utf8')).hexdigest()[:8]}"
    return dict(json.loads(json.dumps(flat, sort_keys=True, default=str)))


def _with_digests(value: Any) -> Any:
    """The settings with checksums in place of the paths of word vectors, and of the folders of encoders."""
    if not isinstance(value, Mapping):
        return value
    value = {key: _with_digests(inner) for key, inner in value.items()}
    if value.get("type") == "file":
        value["path"] = _content(value.get("path"))
    elif value.get("type") in ("encoder", "pieces"):
        value["model"] = _content(value.get("model"))
    if "vectors" in value:  # the bare value of a block of type file
        value["vectors"] = _content(value["vectors"])
    return value


def _content(path: Any) -> Any:
    """The checksum of a file, or those of a folder's encoder. What is not there stays: a trained model holds what it needs."""
    if not isinstance(path, str):
        return path
    place = Path(path).expanduser()
    if place.is_dir():
        return [sha256_of(file) for name in ENCODER_FILES if (file := place / name).is_file()]
    return sha256_of(place) if place.is_file() else path


def fingerprint(config: RunConfig, sources: Iterable[SourceFile]) -> str:
    """Digest settings, data and code into 16 hexadecimal digits. The contents of the data files count, not their paths."""
    chosen = {key: value for key, value in settings(config).items() if key not in PATHS}
    data = sorted([source.split, source.sha256] for source in sources)
    text = json.dumps([chosen, data, code_digest()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf8")).hexdigest()[:_DIGITS]


# Left out of the fingerprint: the files' checksums count instead.
PATHS = ("corpus.train", "corpus.dev", "corpus.test", "corpus.old_dev", "corpus.cache", "teacher.texts")


@cache
def code_digest() -> str:
    """The sha256, in hex, of the names and contents of this package's source files."""
    root = Path(runner.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(read_file(path))
    return digest.hexdigest()


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner
