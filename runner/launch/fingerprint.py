"""What decides about the bits of a run, as settings and as one short digest: two runs of equal fingerprints are one run.

settings (the config but for paths, tracking, checkpoints and how a sweep goes about its jobs; the user's code)
+ the data files' checksums + the source of this package
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
from runner.secrets import is_secret_name

_FREE = ("output_dir", "resume", "tracking", "code", "force", "fail_fast", "repeat")  # what does not touch the result
_FREE_TRAINING = ("checkpoint_seconds", "checkpoint_steps")
_DIGITS = 16  # of a fingerprint


def settings(config: RunConfig) -> dict[str, Any]:
    """What decides about the bits, as plain JSON values: settings by their dotted keys, and the user's code."""
    plain = {key: value for key, value in config.as_dict().items() if key not in _FREE}
    plain["training"] = {key: value for key, value in plain["training"].items() if key not in _FREE_TRAINING}
    plain["corpus"] = {key: value for key, value in plain["corpus"].items() if key != "score_test"}
    plain["code"] = [sha256_of(Path(path).expanduser()) for path in config.code]
    flat = dict(_flat(plain, ""))
    given = dict(_flat(config.resolved, ""))
    for key, value in flat.items():  # an expression stands for what the environment holds
        if (
            isinstance(value, str)
            and "${oc.env:" in value
            and not is_secret_name(value.split("oc.env:")[1].split("}")[0])
        ):
            flat[key] = f"{value} = {hashlib.sha256(str(given.get(key)).encode('utf8')).hexdigest()[:8]}"
    return dict(json.loads(json.dumps(flat, sort_keys=True, default=str)))


def fingerprint(config: RunConfig, sources: Iterable[SourceFile]) -> str:
    """A digest of settings, data and code, 16 hexadecimal digits. Where the files lie does not count, what they hold does."""
    chosen = {key: value for key, value in settings(config).items() if key not in PATHS}
    data = sorted([source.split, source.sha256] for source in sources)
    text = json.dumps([chosen, data, code_digest()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf8")).hexdigest()[:_DIGITS]


PATHS = ("corpus.train", "corpus.dev", "corpus.test", "corpus.cache")  # the files' checksums speak for them


@cache
def code_digest() -> str:
    """sha256, in hex, of this package's source files, their names and contents."""
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
