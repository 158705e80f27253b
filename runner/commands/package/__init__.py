"""`python -m runner package MODEL OUT`: a trained model as a wheel that pip installs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from runner.commands.flags import FlagParser, exit_code
from runner.commands.model_flags import MODEL_HELP, TRACKING_URI_HELP
from runner.errors import RunnerError
from runner.files import read_file, write_file
from runner.foreign import shown_name

HELP = """\
Write a trained model as a wheel into the folder OUT.

  python -m runner package MODEL dist --name my-model --version 1.0
  python -m runner package MODEL dist --with-runner    the code beside it
  pip install dist/*.whl

After that runner.load("my-model"), `import my_model; my_model.load()` and
commands such as `python -m runner predict my-model` work. The same model gives
the same bytes. The wheel requires declarative-runner, which is on no index:
give its wheel to pip in the same command.
Exit codes: 0 done, 1 it could not be written, 2 a model or option is wrong."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner package", description=HELP)
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("out", metavar="OUT", help="the folder of wheels, made if it is missing")
    parser.add_argument("--name", metavar="NAME", help="default: of a registered model, else language and components")
    parser.add_argument("--version", metavar="VERSION", help="default: of a registered model, else 0.1.0")
    parser.add_argument("--license", metavar="SPDX", help="for example MIT or CC-BY-4.0; default: none is told")
    parser.add_argument("--description", metavar="TEXT", help="one line; default: components and language")
    parser.add_argument("--author", metavar="TEXT", help="default: nobody is named")
    parser.add_argument(
        "--with-runner", dest="has_runner", action="store_true", help="write the wheel of this project beside it"
    )
    parser.add_argument("--force", dest="is_forced", action="store_true", help="overwrite a wheel of other content")
    parser.add_argument("--tracking-uri", metavar="URI", help=TRACKING_URI_HELP)
    return parser


def main(words: Sequence[str]) -> int:
    """Run `package` with these words of the command line; the exit code."""
    return exit_code(lambda: _run(make_parser().parse_intermixed_args(list(words))))


def _run(options: argparse.Namespace) -> None:
    from runner.commands.package.model import Wanted, model_wheel
    from runner.commands.package.own import own_wheel
    from runner.tracking.model_source import find_model

    folder = Path(options.out)
    if folder.suffix == ".whl" or folder.is_file():
        hint = "Name a folder: the format decides the name of the file."
        raise RunnerError("OUT is a file", place=options.out, hint=hint)
    wanted = Wanted(options.name, options.version, options.license, options.description, options.author)
    wheel, code = model_wheel(find_model(options.model, options.tracking_uri), wanted)
    wheels = [*([own_wheel()] if options.has_runner else []), wheel]
    contents = {folder / one.file_name: one.content() for one in wheels}
    for path, content in contents.items():
        _check_place(path, content, is_forced=options.is_forced)
    for path, content in contents.items():
        write_file(path, content)
        print(f"{path}  {len(content):,} bytes")
    if code:
        print(f"not packed, and needed to load it: {', '.join(map(shown_name, code))}")
    print(f"pip install {shlex.join(map(str, contents))}")
    if not options.has_runner:
        print("declarative-runner must be installed there; --with-runner writes its wheel too")


def _check_place(path: Path, content: bytes, *, is_forced: bool) -> None:
    """Raise RunnerError if another wheel would be overwritten."""
    if path.exists() and not is_forced and not (path.is_file() and read_file(path) == content):
        hint = "Give another --version or --name, or overwrite it with --force."
        raise RunnerError("the wheel exists, with other content", place=str(path), hint=hint)
