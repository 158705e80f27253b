"""Check that a run can be repeated with the same code and data, and that the repetition gave the same bits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.schema import RunConfig
from runner.corpus.datasets import SourceFile
from runner.corpus.digests import sha256_of
from runner.errors import RunnerError
from runner.launch.fingerprint import code_digest, settings
from runner.tracking.past_run import KERNEL, PastRun

CODE, FILES = (
    "code_digest",
    "code_files",
)  # tags: digest of the package's source; digests of the files in `code`, as JSON
_COMPUTING = ("numpy", "thinc")  # libraries whose version may change the bits


def code_tags(config: RunConfig) -> dict[str, str]:
    """Return the tags that identify a run's code, however the package was installed."""
    files = {name: sha256_of(Path(name).expanduser()) for name in config.code}
    return {CODE: code_digest(), **({FILES: json.dumps(files)} if files else {})}


def code_differences(past: PastRun, config: RunConfig, now: Mapping[str, str]) -> list[str]:
    """Return the parts of the code that have changed since a run. now: the tags that a new run would get."""
    then = past.tags
    differences = []
    if CODE not in then:
        differences.append("the run does not say which source it was made with")
    elif then[CODE] != code_digest():
        commits = _changed(_commit(then), _commit(now))
        differences.append(
            f"runner's source ({then[CODE][:8]} → {code_digest()[:8]}{f', commit {commits}' if commits else ''})"
        )
    before = _files(then)
    for name in config.code:
        digest = sha256_of(Path(name).expanduser())
        if before.get(name) not in (None, digest):
            differences.append(f"{name} ({before[name][:8]} → {digest[:8]})")
    versions, here = _versions(then), _versions(now)
    differences += [
        f"{name} ({versions[name]} → {here[name]})"
        for name in _COMPUTING
        if name in versions and name in here and versions[name] != here[name]
    ]
    return differences


def data_differences(past: PastRun, digest: str, sources: Sequence[SourceFile]) -> list[str]:
    """Return the parts of the data that have changed since a run. digest: the corpus's present digest."""
    then = past.tags.get("data_digest")
    if then == digest:
        return []
    if then is None:
        return ["the run does not say which data it was made with"]
    differences = []
    for split in dict.fromkeys([*(str(one["split"]) for one in past.datasets), *(source.split for source in sources)]):
        before = past.digests(split) or []
        after = sorted(source.sha256 for source in sources if source.split == split)
        if before != after:
            names = ", ".join(sorted({source.path.name for source in sources if source.split == split})) or "none"
            differences.append(f"the {split} data ({names}: {_short(before)} → {_short(after)})")
    return differences or [f"how the data is cut ({then[:8]} → {digest[:8]})"]


def kernel_difference(past: PastRun, now: str | None) -> str | None:
    """Return `then → now` if the kernels differ and so may round differently; None if equal or unknown."""
    then = past.tags.get(KERNEL)
    return f"{then} → {now}" if then and now and then != now else None


def setting_differences(before: RunConfig, after: RunConfig) -> list[str]:
    """Return the changed settings that affect the bits, each as `key (before → after)`."""
    old, new = settings(before), settings(after)
    return [
        f"{key} ({_text(old, key)} → {_text(new, key)})" for key in sorted({*old, *new}) if old.get(key) != new.get(key)
    ]


def refusal(past: PastRun, what: str, differences: Sequence[str]) -> RunnerError:
    """Return the error that refuses to repeat a run after a change. what: "code" or "data"."""
    return RunnerError(
        f"the {what} is not what it was: {'; '.join(differences)}",
        place=past.place,
        hint="--force runs it nevertheless, and says what came out otherwise.",
    )


@dataclass(frozen=True)
class Verdict:
    """The result of a comparison. is_same: whether all models that both runs recorded are equal; None if no such model."""

    is_same: bool | None
    lines: Sequence[str]


def verdict(past: PastRun, again: PastRun, reasons: Sequence[str]) -> Verdict:
    """Compare the weights of a run and of its repetition. reasons: the differences known before the repetition."""
    names = [name for name in past.weights if name in again.weights]
    same = [past.weights[name] == again.weights[name] for name in names]
    is_same = all(same) if names else None
    lines = [f"rerun of {past.place} ({past.name}): {_words(is_same)}"]
    for name, is_equal in zip(names, same, strict=True):
        now = "now the same" if is_equal else f"now {again.weights[name][:16]}…"
        lines.append(f"  {name}  weights {past.weights[name][:16]}…, {now}")
    if "score" in past.best and "score" in again.best and not is_same:
        lines.append(f"  best score  {100 * past.best['score']:.2f}, now {100 * again.best['score']:.2f}")
    if reasons:
        lines.append(f"  It was no repetition: {'; '.join(reasons)}.")
    elif is_same is False and (kernels := kernel_difference(past, again.tags.get(KERNEL))):
        lines.append(
            f"  Settings, data and code are the same; the kernel is another ({kernels}), and rounds otherwise."
        )
    elif is_same is False:
        hosts = past.tags.get("host"), again.tags.get("host")
        lines.append(
            f"  Settings, data and code are the same; the machine is another ({hosts[0]} → {hosts[1]}), and rounds otherwise."
            if None not in hosts and hosts[0] != hosts[1]
            else "  Settings, data, code and machine are the same: this should not be; please report it."
        )
    return Verdict(is_same, lines)


def _words(is_same: bool | None) -> str:
    if is_same is None:
        return "done; the first run does not tell its weights, so that the bits cannot be compared"
    return "the same bits" if is_same else "other bits"


def _commit(tags: Mapping[str, str]) -> str:
    commit = tags.get("git_commit", "")[:8]
    return f"{commit} with changes" if commit and tags.get("git_dirty") == "true" else commit


def _changed(before: str, after: str) -> str:
    return f"{before or '?'} → {after or '?'}" if before or after else ""


def _files(tags: Mapping[str, str]) -> dict[str, str]:
    try:
        digests = json.loads(tags.get(FILES, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in digests.items()} if isinstance(digests, dict) else {}


def _versions(tags: Mapping[str, str]) -> dict[str, str]:
    """Parse the tag `libraries`, written by provenance.py as name==version, into a dict."""
    return dict(re.findall(r"(\S+)==(\S+)", tags.get("libraries", "")))


def _short(digests: Sequence[str]) -> str:
    return "+".join(digest[:8] for digest in digests) or "none"


def _text(values: Mapping[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "absent"
