"""`python -m runner init FOLDER`: a small project: config, data, own code, README, CI.

The files lie in project/, as they are written, but for three words: @FOLDER@, @PIPELINE@ and @DATA@. The data are cut from the
sample corpus, in the shape in which one's own data are written most easily.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.commands.flags import FlagParser, exit_code
from runner.errors import RunFailed, RunnerError
from runner.files import write_file

HELP = """\
Write a small project into a new folder, which trains at once.

  python -m runner init my_project
  python -m runner init my_project --pipeline textcat
  cd my_project && python -m runner --config-dir conf experiment=mine

It holds a config (conf/), data in JSON lines (data/), a schedule of your own
(own.py), a workflow that trains on each push, and a README that tells how to
put your own data in. A folder that is not empty is refused.
Exit codes: 0 done, 1 it could not be written, 2 a word is wrong."""

PROJECT = Path(__file__).parent / "project"
SAMPLE = Path(__file__).parents[2] / "corpus" / "sample"
N_TRAIN, N_DEV, N_TEXTS = 100, 40, 3
_NAMES = {"gitignore": ".gitignore", "github": ".github"}  # hidden files are left out of some archives


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner init", description=HELP)
    parser.add_argument("folder", metavar="FOLDER", help="a new folder, or an empty one")
    parser.add_argument(
        "--pipeline",
        choices=tuple(RECORDS),
        default="ner",
        help="what is trained (default ner): decides the shape of the data",
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Run `init` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    write_project(folder, options.pipeline)
    print(f"Written: {folder}, with a README.md. Train:\n")
    print(f"  cd {shlex.quote(str(folder))} && python -m runner --config-dir conf experiment=mine")


def write_project(folder: Path, pipeline: str) -> None:
    """Write the whole project, or nothing.

    Raises RunnerError if the folder is not empty, RunFailed if the system refuses.
    """
    target = folder.expanduser().absolute()
    if target.exists() and not target.is_dir():
        raise RunnerError("this is a file", place=str(folder), hint="Name a new folder.")
    try:
        if target.is_dir() and any(target.iterdir()):
            raise RunnerError(
                "the folder is not empty", place=str(folder), hint="Name a new folder, or empty this one."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            for name, text in _files(_plain(target.name), pipeline):
                write_file(draft / name, text)
            os.chmod(draft, 0o755)  # mkdtemp makes a folder for its owner alone
            if target.is_dir():
                target.rmdir()
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise RunFailed(f"cannot write: {error.strerror}", place=str(folder)) from error


def _files(name: str, pipeline: str) -> Iterator[tuple[Path, str]]:
    """Path in the project and text of each file."""
    record, shape = RECORDS[pipeline]
    for path in sorted(PROJECT.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            parts = [_NAMES.get(part, part.removesuffix(".txt") if part == "own.py.txt" else part)
                     for part in path.relative_to(PROJECT).parts]  # fmt: skip
            text = path.read_text(encoding="utf8")
            for word, value in (("@FOLDER@", name), ("@PIPELINE@", pipeline), ("@DATA@", shape)):
                text = text.replace(word, value)
            yield Path(*parts), text
    stem = "tone_" if pipeline == "textcat" else ""  # of the sample's own topics, 320 texts are too few to learn
    dev = _sample(f"{stem}dev")
    n_dev = min(N_DEV, len(dev) - N_TEXTS)
    for split, some in (("train", _sample(f"{stem}train")[:N_TRAIN]), ("dev", dev[:n_dev])):
        yield Path("data", f"{split}.jsonl"), "".join(f"{_line(record(one))}\n" for one in some)
    yield Path("data", "texts.txt"), "".join(f"{_text(one)}\n" for one in dev[n_dev : n_dev + N_TEXTS])


def _plain(name: str) -> str:
    """The folder's name as it may stand in YAML and Markdown.

    >>> _plain("my: project")
    'my-project'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "project"


def _sample(stem: str) -> list[dict[str, Any]]:
    """The records of a file of the sample corpus, shuffled: they stand by topic there, in turns."""
    lines = (SAMPLE / f"{stem}.jsonl").read_text(encoding="utf8").splitlines()
    random.Random(0).shuffle(lines)
    return [json.loads(line) for line in lines]


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _text(record: Mapping[str, Any]) -> str:
    if "text" in record:
        return str(record["text"])
    pairs = zip(record["words"], record["spaces"], strict=True)
    return "".join(word + " " * space for word, space in pairs).strip()


def _of_ner(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": _text(record), "entities": record["entities"]}


def _of_textcat(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": _text(record), "cats": record["cats"]}


def _of_tagger(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"words": record["words"], "tags": record["tags"]}


def _of_parser(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"words": record["words"], "tags": record["tags"], "heads": record["heads"], "deps": record["deps"]}


# Pipeline → what of a record it learns from, and how the README explains a line of the data.
RECORDS: dict[str, tuple[Callable[[Mapping[str, Any]], dict[str, Any]], str]] = {
    "ner": (_of_ner, '{"text": "Ada lives in Oslo.", "entities": [[0, 3, "PERSON"], [13, 17, "GPE"]]}'),
    "tagger": (_of_tagger, '{"words": ["Ada", "sleeps", "."], "tags": ["NNP", "VBZ", "."]}'),
    "parser": (_of_parser, '{"words": ["Ada", "sleeps"], "tags": ["NNP", "VBZ"], "heads": [1, 1], "deps": ["nsubj", "root"]}'),
    "textcat": (_of_textcat, '{"text": "A warm coat, and it fits.", "cats": {"POSITIVE": 1.0, "NEGATIVE": 0.0}}'),
}  # fmt: skip
