"""`hydra/sweeper=basic`: every combination of the values on the command line, each under `repeat` seeds.

Nothing starts before every job has been checked, and a job whose run has finished before is passed over. Where there are
cores for them, jobs run side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.config.guard import clean_yaml
from runner.errors import RunnerError
from runner.files import write_file
from runner.launch.folders import folder_of
from runner.launch.jobs import refuse_broken, refuse_folders
from runner.launch.launchers import runs_here
from runner.launch.sweep import Sweep

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig

    from runner.launch.runs import Runs


class Grid(Sweep):
    """max_batch_size: jobs that the launcher is handed at once; None: all of them."""

    def __init__(
        self,
        context: HydraContext,
        runs: Runs,
        config: DictConfig,
        *,
        max_batch_size: int | None,
        params: Mapping[str, Any],
    ) -> None:
        super().__init__(context, runs, config, params)
        if max_batch_size is not None and max_batch_size < 1:
            fact = f"max_batch_size is {max_batch_size}; it must be at least 1"
            raise RunnerError(fact, place="hydra.sweeper.max_batch_size")
        self._max_batch_size = max_batch_size

    def run(self, arguments: Sequence[str]) -> None:
        """Run the jobs. arguments: the words of the command line. Raises RunnerError where one of them cannot run."""
        overrides = self.composer.expanded(self._words(arguments))
        jobs = list(self.composer.jobs(overrides))
        refuse_broken(jobs)
        refuse_folders(jobs)
        configs = [job.config for job in jobs if job.config is not None]
        ticket = self.board.begin(configs, folder_of(self.config))
        with self.under_way(ticket, self.board.n_to_run):
            write_file(ticket.folder / "multirun.yaml", clean_yaml(self.config))
            # One by one where they run one by one: Hydra's own launcher keeps two configs of each job, 180 kB, to its end.
            n = 1 if runs_here(self.config) else self._max_batch_size or len(overrides)
            for first in range(0, len(overrides), n):
                self.launch(overrides[first : first + n], first)

    def _words(self, arguments: Sequence[str]) -> list[str]:
        """The words of the whole grid: `repeat` becomes a sweep of seeds. Raises RunnerError where the seed is swept too."""
        words, n = self.parsed(arguments), int(self.config.repeat)
        if n > 1:
            seeds = [word for word in words if word.key_or_group == "seed"]
            if any(word.is_sweep_override() for word in seeds) or "seed" in self.params:
                raise RunnerError(
                    "the seed is swept, and repeat sweeps it too", place="repeat", hint="Leave one of them out."
                )
            words = [word for word in words if word.key_or_group != "seed"]
        given = [str(word.input_line) for word in words]
        seed = int(self.config.seed)
        return [*given, f"seed={','.join(map(str, range(seed, seed + n)))}"] if n > 1 else given
