"""`python -m runner [COMMAND] key=value ...`: find the command and hand it the other words.

Without a command the words are for `train`. Commands are imported when their work begins, so that --help is quick.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from runner import registry, secrets
from runner.errors import RunnerError, suggest
from runner.streams import clean_streams

if TYPE_CHECKING:
    from runner.commands.preflight import Preflight
    from runner.config.schema import RunConfig
    from runner.launch.runs import Command

TRAIN = "train"  # takes overrides
PRETRAIN = "pretrain"  # takes texts and overrides
PROGRAMS = {  # take flags of their own
    "bootstrap": "runner.commands.bootstrap",
    "compare": "runner.commands.compare",
    "convert": "runner.commands.convert",
    "debug": "runner.commands.debug",
    "errors": "runner.commands.errors",
    "evaluate": "runner.commands.evaluate",
    "export": "runner.commands.export",
    "info": "runner.commands.info",
    "package": "runner.commands.package",
    "predict": "runner.commands.predict",
    "reap": "runner.commands.reap",
    "rerun": "runner.commands.rerun",
    "sync": "runner.commands.sync",
    "threshold": "runner.commands.threshold",
    "vectors": "runner.commands.vectors",
}
OVERRIDDEN = ("debug", "rerun")  # programs that take `code=[…]` as an override
TAKE_CODE = ("bootstrap", "errors", "evaluate", "predict", "threshold")  # programs that have --code FILE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the program's own); return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    secrets.learn_environment()
    secrets.learn(words)
    with clean_streams():
        return _run(words)


def _run(words: list[str]) -> int:
    command = TRAIN
    odd = next((word for word in words if not _is_text(word)), None)
    if odd is not None:  # refused now, and not when the results are written
        hint = "Give it in UTF-8; rename a file whose name is in another encoding."
        print(RunnerError("the word holds bytes that are not UTF-8", place=repr(odd), hint=hint), file=sys.stderr)
        return RunnerError.exit_code
    code = words.pop(0) if len(words) > 1 and words[0].startswith("code=") and words[1].isidentifier() else None
    if words and words[0].isidentifier():
        command = words.pop(0)
    if command not in (TRAIN, PRETRAIN) and command not in PROGRAMS:
        return _run_own(command, words, code)
    if code and command in (TRAIN, PRETRAIN, *OVERRIDDEN):
        words.insert(0, code)
    if command == PRETRAIN:
        return _run_pretraining(words)
    if command in PROGRAMS:
        return _run_program(command, words, code if command not in OVERRIDDEN else None)

    from runner.launch.program import run_app

    return run_app(words, _train())


def _run_pretraining(words: list[str]) -> int:
    from runner.commands.pretrain import HELP, as_overrides
    from runner.launch.program import run_app

    if "--help" in words or "-h" in words:
        print(HELP, end="")
        return 0
    try:
        overrides = as_overrides(words)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return run_app(overrides, _train())


def _run_program(command: str, words: list[str], code: str | None) -> int:
    """Run a command of PROGRAMS with the registry entries of `code=[FILE,…]`; its exit code."""
    from runner.commands.flags import exit_code
    from runner.user_code import load_code

    paths = _paths(code or "")
    if command in TAKE_CODE:
        words += [word for path in paths for word in ("--code", path)]
    elif failed := exit_code(lambda: load_code(paths)):
        return failed
    code_of_program: int = importlib.import_module(PROGRAMS[command]).main(words)
    return code_of_program


def _run_own(command: str, words: list[str], code: str | None) -> int:
    """Run a command that the user has registered, in a file of `code=[FILE,…]` or by an entry point; its exit code."""
    from runner.commands.flags import exit_code
    from runner.user_code import load_code

    def run() -> int | None:
        load_code(_paths(code or ""))
        if command not in registry.commands.names():
            hint = "python -m runner pipeline=ner optimizer=adam trains; see python -m runner --help."
            known = [TRAIN, PRETRAIN, *PROGRAMS, *registry.commands.names()]
            raise RunnerError(f"unknown command; {suggest(command, known)}", place=command, hint=hint)
        own = registry.commands.get(command)
        if own.__doc__ and words in (["-h"], ["--help"]):
            print(f"{command} {inspect.cleandoc(own.__doc__)}")
            return 0
        code_of_own: int | None = own(words)
        return code_of_own

    return exit_code(run)


def _paths(code: str) -> list[str]:
    """The paths in `code=[FILE,…]`."""
    return [path.strip(" '\"") for path in code.removeprefix("code=").strip("[]").split(",") if path]


def _is_text(word: str) -> bool:
    """Whether the word can be encoded: Python hands over bytes of another encoding as lone surrogates."""
    try:
        word.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def _train() -> Command:
    """The train command; its modules, and those of its checks, are imported when their work begins."""
    from runner.launch.runs import Command

    @cache
    def preflight() -> Preflight:
        from runner.commands.preflight import Preflight

        return Preflight()

    return Command(
        run=_run_training,
        check=lambda config: preflight()(config),
        sources=lambda config: preflight().corpus(config).sources,
    )


def _run_training(config: RunConfig) -> None:
    """A function of its own, since launchers send it to other processes."""
    from runner.commands.train import run

    run(config)


if __name__ == "__main__":
    sys.exit(main())
