"""Other systems and other versions of Python: no module needs POSIX to be imported, and Python 3.14's argparse is met."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.launch.command_line import parse_arguments

PACKAGE = Path(runner.__file__).parent
MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "curses", "readline", "spwd", "crypt"}
NAMES = {
    "os": {"fork", "getuid", "geteuid", "getpgid", "killpg", "setsid", "nice", "mkfifo", "WNOHANG", "waitid", "uname",
           "sched_getaffinity", "register_at_fork", "O_DIRECTORY", "chown", "getloadavg"},
    "signal": {"SIGKILL", "SIGHUP", "SIGPIPE", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "alarm", "setitimer",
               "pthread_sigmask", "SIG_BLOCK", "SIG_UNBLOCK"},
}  # fmt: skip


def posix_only(source: str) -> Iterator[str]:
    """What a module needs of POSIX when it is imported, outside of functions and of tests for it."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If | ast.IfExp) and _tests_system(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            if node.module in MODULES:
                yield str(node.module)
            yield from (alias.name for alias in node.names if alias.name in NAMES.get(node.module or "", ()))
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            yield from [f"{owner}.{node.attr}"] if node.attr in NAMES.get(owner, ()) else []
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return visit(ast.parse(source))


def _tests_system(test: ast.AST) -> bool:
    text = ast.unparse(test)
    return any(part in text for part in ("sys.platform", "os.name", "hasattr(os", "hasattr(signal"))


def test_no_module_needs_posix_to_be_imported():
    wrong = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if (names := list(posix_only(path.read_text(encoding="utf8"))))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import fcntl", ["fcntl"]),
        ("import os\nX = os.fork", ["os.fork"]),
        ("from signal import SIGKILL", ["SIGKILL"]),
        ("try:\n    import resource\nexcept OSError:\n    pass", ["resource"]),
        ("def f():\n    import fcntl", []),
        ("import sys\nif sys.platform != 'win32':\n    import fcntl", []),
    ],
)
def test_a_module_that_needs_posix_would_be_seen(source, expected):
    assert list(posix_only(source)) == expected


def test_the_parser_is_made_where_argparse_looks_into_each_help(monkeypatch):
    """As Python 3.14 does: `'%' in help` for each option, when it is added."""
    add = argparse._ActionsContainer.add_argument

    def checked(self: Any, *names: Any, **given: Any) -> argparse.Action:
        action = add(self, *names, **given)
        if action.help is not None:
            assert "%" not in action.help or action.help % vars(action)
        return action

    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", checked)
    from hydra._internal.utils import get_args_parser

    with pytest.raises(TypeError, match="LazyCompletionHelp"):
        get_args_parser()
    parser, arguments = parse_arguments(["-m", "seed=1,2"])
    assert arguments.multirun
    assert arguments.overrides == ["seed=1,2"]
    assert "completion" in parser.format_help()
