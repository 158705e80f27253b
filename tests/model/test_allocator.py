"""What malloc is told; the calls are recorded, not made."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from runner.model import allocator
from runner.model.allocator import IN_PREDICTION, IN_TRAINING, keep_freed_memory

TRIM, MMAP = -1, -3  # of malloc.h
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@pytest.fixture
def told(monkeypatch):
    """What mallopt was called with."""
    calls = []

    class Library:
        def __init__(self, name):
            pass

        @staticmethod
        def mallopt(option, value):
            calls.append((option, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(allocator, "_kept", 0)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return calls


def test_more_is_kept_when_more_is_asked_for_and_never_less(told):
    assert keep_freed_memory(IN_PREDICTION)
    assert keep_freed_memory(IN_TRAINING)
    assert keep_freed_memory(IN_PREDICTION)
    assert told == [(MMAP, IN_PREDICTION), (TRIM, IN_PREDICTION), (MMAP, IN_TRAINING), (TRIM, IN_TRAINING)]


@pytest.mark.parametrize("name", SETTINGS)
def test_what_a_user_has_told_malloc_stays(told, name, monkeypatch):
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory(IN_PREDICTION)
    assert told == []


def test_other_systems_are_left_alone(told, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory(IN_TRAINING)
    assert told == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_importing_tells_malloc_nothing_and_predicting_does():
    """In a process of its own: the setting is the process's."""
    code = """
import runner
from runner.model import allocator
nlp = runner.blank()
nlp.add_pipe("tagger").add_label("NN")
before = allocator._kept
nlp("Ada slept.")
print(before, allocator._kept)
"""
    env = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert result.stdout == f"0 {IN_PREDICTION}\n"
