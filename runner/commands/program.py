"""`python -m runner [train] KEY=VALUE…`: train; the command that needs no name.

Hydra composes the config (launch/program.py), train.py does the work. The modules of both are imported when their work begins,
so that --help is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.commands.preflight import Preflight
    from runner.config.schema import RunConfig
    from runner.launch.runs import Command


def main(words: Sequence[str]) -> int:
    """Train what the words of the command line ask for, once or for each combination; return the exit code."""
    from runner.launch.program import run_app

    return run_app(words, _train())


def _train() -> Command:
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
