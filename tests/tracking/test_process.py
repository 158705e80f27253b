"""Whether a process is gone: never fooled by an id that was given away again, never sure about another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from runner.tracking.process import is_gone, this_process

TELL = "from runner.tracking.process import this_process; print(this_process(), flush=True); input()"


def changed(**values: object) -> str:
    return json.dumps({**json.loads(this_process()), **values})


def test_this_one_is_not_gone() -> None:
    assert json.loads(this_process())["pid"] == os.getpid()
    assert is_gone(this_process()) is False


def test_another_until_it_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    process = child.stdout.readline()
    assert is_gone(process) is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(process) is True  # only its exit code is left
    child.communicate()
    assert is_gone(process) is True


def test_its_id_given_to_another() -> None:
    assert is_gone(changed(began="1")) is True


def test_the_machine_was_started_again() -> None:
    assert is_gone(changed(boot="11111111-2222-3333-4444-555555555555")) is True


@pytest.mark.parametrize("process", [
    changed(host="elsewhere"),
    changed(machine="another"),
    changed(namespace="pid:[1]"),
    changed(host="elsewhere", boot="another"),
    "", None, "no json", "[]", "{}", '{"pid": "x"}', '{"pid": 0}',
])  # fmt: skip
def test_cannot_be_told_from_here(process: str | None) -> None:
    assert is_gone(process) is None
