"""`python -m runner [COMMAND] key=value ...`: find the command and hand it the other words.

Without a command the words are for `train`. Commands are imported when their work begins, so that --help is quick.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence

from runner import registry, secrets
from runner.errors import RunnerError, suggest
from runner.streams import clean_streams

TRAIN = "train"  # the command that needs no name
OVERRIDDEN = (TRAIN, "pretrain", "debug", "rerun")  # commands that take `code=[…]` as an override
TAKE_CODE = ("bootstrap", "errors", "evaluate", "predict", "threshold")  # commands that have --code FILE


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
    if command not in registry.commands.mains:
        return _run_own(command, words, code)
    if code and command in OVERRIDDEN:
        words.insert(0, code)
        code = None
    return _run_program(command, words, code)


def _run_program(command: str, words: list[str], code: str | None) -> int:
    """Run a command of the project with the registry entries of `code=[FILE,…]`; its exit code."""
    from runner.commands.flags import exit_code
    from runner.user_code import load_code

    paths = _paths(code or "")
    if command in TAKE_CODE:
        words += [word for path in paths for word in ("--code", path)]
    elif paths and (failed := exit_code(lambda: load_code(paths))):
        return failed
    code_of_program: int = registry.commands.get(command)(words)
    return code_of_program


def _run_own(command: str, words: list[str], code: str | None) -> int:
    """Run a command that the user has registered, in a file of `code=[FILE,…]` or by an entry point; its exit code."""
    from runner.commands.flags import exit_code
    from runner.user_code import load_code

    def run() -> int | None:
        load_code(_paths(code or ""))
        if command not in registry.commands.names():
            if (meant := _meant(command, words)) is not None:
                raise meant
            hint = "python -m runner pipeline=ner optimizer=adam trains; see python -m runner --help."
            known = registry.commands.names()
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


def _meant(command: str, words: list[str]) -> RunnerError | None:
    """The error of a word that is no command, where what the user meant is known; None if it is not."""
    from runner import synonyms
    from runner.config.mistyped import choice_anywhere, mistyped

    here = synonyms.command_here(command)
    if here is not None and words[:1] != ["="] and choice_anywhere(command) is None:
        return RunnerError("unknown command", place=command, hint=f"Write {here}")
    return mistyped([command, *words])


def _is_text(word: str) -> bool:
    """Whether the word can be encoded: Python hands over bytes of another encoding as lone surrogates."""
    try:
        word.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
