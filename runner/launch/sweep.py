"""What a grid and a search have in common: their jobs are checked, launched, and told of to the sweep's board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins

from runner.errors import RunFailed, RunnerError
from runner.launch import workers
from runner.launch.board import Board
from runner.launch.folders import place
from runner.launch.jobs import Composer, as_words, refuse_swept
from runner.launch.launchers import jobs_at_a_time, join_cluster, launch, side_by_side
from runner.launch.runs import ASK_FOR_SWEEP, Runs
from runner.tracking.base import Status

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.types import HydraContext
    from omegaconf import DictConfig

    from runner.config.ticket import Ticket


class Sweep:
    """One multirun. context, config: Hydra's. params: `hydra.sweeper.params`, swept beside the words of the command line."""

    def __init__(self, context: HydraContext, runs: Runs, config: DictConfig, params: Mapping[str, Any]) -> None:
        if runs.called == "train":
            raise RunnerError("these words stand for several runs", place="runner.train", hint=ASK_FOR_SWEEP)
        self.runs, self.config, self.params = runs, config, params
        self.n_at_a_time = 1
        self.composer = Composer(context.config_loader, config, runs.command.check, runs.config_dir)
        self.board = Board(runs.command.sources)
        self._context = context
        self._launcher = self._make_launcher()
        runs.is_multirun = True

    def parsed(self, arguments: Sequence[str]) -> list[Override]:
        """The words of the command line, `hydra.sweeper.params` first. Raises RunnerError."""
        words = self.composer.parsed([*as_words(self.params), *arguments])
        refuse_swept(words[len(self.params) :], self.params)
        return words

    @contextmanager
    def under_way(self, ticket: Ticket, n_to_run: int) -> Iterator[None]:
        """While it lasts, jobs may be launched; at its end, whatever ended it, the board shows what came of them.

        n_to_run: jobs that have not finished before. Raises RunFailed where a worker was killed.
        """
        place(self.config, ticket.folder)
        self.runs.ticket = ticket
        self.n_at_a_time = jobs_at_a_time(self.config, n_to_run)
        if self.n_at_a_time > 1:
            side_by_side(self.config, self.n_at_a_time)
            self._launcher = self._make_launcher()
        join_cluster(self._launcher)
        status: Status = "KILLED"
        try:
            yield
            status = "FAILED" if self.runs.failures else "FINISHED"
        except Exception as error:
            status = "FAILED"
            if workers.were_killed(error):
                raise RunFailed(
                    "a process of the sweep was killed, for lack of memory perhaps",
                    place="hydra.launcher",
                    hint="The same command goes on; hydra/launcher=basic runs one job at a time.",
                ) from error
            raise
        finally:
            workers.end()
            self.board.end(status, {f.number: f.message for f in self.runs.failures if f.number is not None})
            self.runs.outcomes = self.board.concluded

    def launch(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        """Run jobs, given by their overrides. first: number of the first job. Raises Interrupted at a signal."""
        launch(self._launcher, self.runs, jobs, first)

    def _make_launcher(self) -> Any:
        plugins = Plugins.instance()
        return plugins.instantiate_launcher(hydra_context=self._context, task_function=self.runs, config=self.config)
