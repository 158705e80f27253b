"""A signal in the middle of a training waits for the end of the step."""

from __future__ import annotations

import signal

import pytest

from runner.errors import Interrupted
from runner.signals import raised
from runner.training.interrupts import Interrupts


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_step_is_ended_first(name, code):
    done = []
    with raised(), pytest.raises(Interrupted) as caught, (interrupts := Interrupts()).deferred():
        signal.raise_signal(getattr(signal, name))
        done.append("step")
        interrupts.check()
        done.append("another")
    assert done == ["step"]
    assert interrupts.is_between
    assert caught.value.exit_code == code


def test_a_second_one_breaks_the_step_off():
    with raised(), pytest.raises(Interrupted), (interrupts := Interrupts()).deferred():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert not interrupts.is_between


def test_one_after_the_last_step_is_not_lost():
    with raised(), pytest.raises(Interrupted), (interrupts := Interrupts()).deferred():
        interrupts.check()
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.is_between


def test_one_that_is_ignored_does_not_keep_the_others_from_being_deferred():
    """As in the background of a script, where the shell has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with raised(), pytest.raises(Interrupted), (interrupts := Interrupts()).deferred():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            interrupts.check()
        assert interrupts.is_between
    finally:
        signal.signal(signal.SIGINT, before)
