"""Plan which files `convert` reads and writes, before it opens any file.

If OUTPUT is a file, all inputs go into that file; the files of an input folder go in order of their names. If OUTPUT is
a folder, each input keeps its own name, with the format's suffix. Two inputs with the same output name are an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import registry
from runner.corpus.readers.auto import SUFFIXES
from runner.corpus.writers.output import FORMAT_OF, SUFFIX_OF, format_of_name
from runner.errors import RunnerError, suggest
from runner.files import is_handed_over

STANDARD = "-"


@dataclass(frozen=True)
class Conversion:
    """The files to read, the file to write, and its format."""

    inputs: list[Path]
    output: Path
    format: str


def plan(inputs: Sequence[str], output: str, source: str, target: str | None) -> tuple[list[Conversion], list[Path]]:
    """Return the conversions, and the skipped files of folders (unknown suffix). Raises RunnerError."""
    if target is not None:
        check_format(target, registry.writers.names(), "--to")
    is_many = len(inputs) > 1 or any(Path(item).is_dir() for item in inputs)
    path = Path(output)
    by_name = format_of_name(path.name)
    is_folder = path.is_dir() or output.endswith("/") or (is_many and output != STANDARD and by_name is None)
    files, skipped = _files(inputs, source, path if is_folder else None)
    if not is_folder:
        if output == STANDARD:
            by_name = "jsonl"
        if target is None and by_name is None:
            raise RunnerError(
                f"the name {path.name!r} does not say the format",
                place="OUTPUT",
                hint=f"End it with {', '.join(FORMAT_OF)} (and .gz), or give --to {'|'.join(registry.writers.names())}.",
            )
        if any(_is_same(file, path) for file, _ in files):
            raise RunnerError("the input would be overwritten", place=str(path), hint="Give OUTPUT another name.")
        return [Conversion([file for file, _ in files], path, target or by_name or "jsonl")], skipped
    target = target or "jsonl"
    suffix = SUFFIX_OF.get(target, f".{target}")
    conversions: dict[Path, Conversion] = {}
    for file, name in files:
        whole = path / (_stem(name) + suffix + (".gz" if file.name.endswith(".gz") else ""))
        if whole in conversions:
            raise RunnerError(
                f"{conversions[whole].inputs[0]} and {file} would both become {whole}",
                place="OUTPUT",
                hint="Convert them one by one, or into one file.",
            )
        if _is_same(file, whole):
            raise RunnerError("the input would be overwritten", place=str(file), hint="Give another OUTPUT folder.")
        conversions[whole] = Conversion([file], whole, target)
    return list(conversions.values()), skipped


def check_format(name: str, known: Iterable[str], place: str) -> None:
    """Raise RunnerError, listing the known formats, if `name` is not among them."""
    if name not in known:
        raise RunnerError(f"unknown format {name!r}; {suggest(name, known)}", place=place)


def _files(inputs: Sequence[str], source: str, output: Path | None) -> tuple[list[tuple[Path, str]], list[Path]]:
    """Return (file, its name below OUTPUT) of all inputs, and the skipped files of folders."""
    files: list[tuple[Path, str]] = []
    skipped: list[Path] = []
    for item in inputs:
        path = Path(item)
        if item == STANDARD:
            files.append((path, "stdin"))
        elif path.is_dir():
            before = len(files)
            for file in sorted(path.rglob("*")):
                relative = file.relative_to(path)
                if not file.is_file() or any(part.startswith(".") for part in relative.parts):
                    continue
                if (
                    output is not None
                    and output.resolve() in file.resolve().parents
                    and output.resolve() != path.resolve()
                ):
                    continue  # an earlier call wrote the file
                if source == "auto" and not _plain(file.name).lower().endswith(SUFFIXES):
                    skipped.append(file)
                else:
                    files.append((file, str(relative)))
            if len(files) == before:
                raise RunnerError(
                    "there is no file with a known suffix in the folder",
                    place=item,
                    hint=f"Known are {', '.join(SUFFIXES)}, with or without .gz; or give --from FORMAT.",
                )
        elif path.is_file() or is_handed_over(path):
            files.append((path, path.name))
        elif path.exists():
            hint = f"Give it as standard input: python -m runner convert {STANDARD} OUTPUT < {item}"
            raise RunnerError("this is a pipe, socket or device, and no file", place=item, hint=hint)
        else:
            near = suggest(path.name, [file.name for file in path.parent.iterdir()]) if path.parent.is_dir() else ""
            hint = near if near.startswith("did you mean") else ""
            raise RunnerError(
                "there is no such file or folder", place=item, hint=hint.partition(" (")[0] or "Check the path."
            )
    if sum(item == STANDARD for item in inputs) > 1:
        raise RunnerError("standard input is named twice", place="INPUT", hint="Name it once.")
    return files, skipped


def _plain(name: str) -> str:
    return name[: -len(".gz")] if name.lower().endswith(".gz") else name


def _stem(name: str) -> str:
    """Return the name without `.gz` and without a format's suffix."""
    plain = _plain(name)
    suffix = Path(plain).suffix
    return plain[: -len(suffix)] if suffix.lower() in SUFFIXES else plain


def _is_same(file: Path, other: Path) -> bool:
    return file.exists() and other.exists() and file.samefile(other)
