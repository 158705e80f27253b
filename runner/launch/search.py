"""`hydra/sweeper=optuna`: a search in place of a grid, by Optuna.

    python -m runner -m hydra/sweeper=optuna hydra.sweeper.n_trials=30 \\
        'optimizer.learn_rate=tag(log,interval(1e-4,1e-2))' 'tok2vec.depth=range(1,5)' 'optimizer=adam,radam'

What a grid sweeps is searched: lists and choice(…) are categories, interval(a,b) real numbers (log-scaled with tag(log,…)),
range(a,b) whole numbers, b excluded. The study is kept in the sweep's folder (study.log), so that the same command goes on
with it: trials that were interrupted are resumed. Hydra's own plugin is bound to Optuna 2 and loses its study with SQLite
(hydra issue 2562); this one keeps Optuna's journal file. Trials are asked for and told in order, so that the same command
gives the same trials for the same number of jobs at a time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.errors import RunnerError
from runner.launch.folders import folder_of
from runner.launch.jobs import as_words, refuse_broken, refuse_folders
from runner.launch.study import distribution_of, highest, lowest, make_study
from runner.launch.sweep import Sweep

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.types import HydraContext
    from omegaconf import DictConfig
    from optuna.study import Study

    from runner.config.schema import RunConfig
    from runner.launch.runs import Runs
    from runner.launch.study import Distribution

STUDY = "study.log"
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")


@dataclass(frozen=True)
class Knobs:
    """n_trials: in all, those of an earlier start included. pruner: ends trials that fall behind (see prune.py).

    seed: of the sampler. Raises RunnerError for values that no search can have.
    """

    n_trials: int
    sampler: str
    pruner: str
    seed: int
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, known in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if value not in known:
                raise RunnerError(
                    f"unknown {name} {value!r} (known: {', '.join(known)})", place=f"hydra.sweeper.{name}"
                )
        if self.n_trials < 1:
            raise RunnerError(f"n_trials is {self.n_trials}; it must be at least 1", place="hydra.sweeper.n_trials")
        if importlib.util.find_spec("optuna") is None:
            raise RunnerError(
                "Optuna is not installed", place="hydra/sweeper", hint='pip install "declarative-runner[search]"'
            )


@dataclass(frozen=True)
class _Space:
    """What is searched, the words that all trials share, and the seeds under which each trial runs."""

    keys: dict[str, Distribution]
    fixed: list[str]
    seeds: range


class Search(Sweep):
    """Trial after trial, each with as many jobs as `repeat` says."""

    def __init__(self, context: HydraContext, runs: Runs, config: DictConfig, knobs: Knobs) -> None:
        super().__init__(context, runs, config, knobs.params)
        self.knobs = knobs

    def run(self, arguments: Sequence[str]) -> None:
        """Search. arguments: the words of the command line. Raises RunnerError where an end of the space cannot run."""
        self._space = space = self._space_of(self.parsed(arguments))
        knobs, n_seeds = self.knobs, len(space.seeds)
        corners = [{key: end(distribution) for key, distribution in space.keys.items()} for end in (lowest, highest)]
        jobs = list(self.composer.jobs([self._overrides(params)[0] for params in corners]))
        refuse_broken(jobs)
        refuse_folders(jobs)
        configs = [job.config for job in jobs if job.config is not None]
        n_jobs = knobs.n_trials * n_seeds
        identity = [knobs.sampler, str(knobs.seed), *(f"{key}={value}" for key, value in space.keys.items())]
        ticket = self.board.begin_search(configs, folder_of(self.config), [*identity, *space.fixed], n_jobs)
        pruner = knobs.pruner if n_seeds == 1 else "none"
        study = make_study(ticket.folder / STUDY, knobs.sampler, pruner, knobs.seed)
        if pruner != "none":
            ticket = self.board.with_study(ticket.folder / STUDY)
        with self.under_way(ticket, n_jobs):
            self._go_on(study)
            self._search(study, max(1, self.n_at_a_time // n_seeds))

    def _space_of(self, words: Sequence[Override]) -> _Space:
        keys = {word.get_key_element(): distribution_of(word) for word in words if word.is_sweep_override()}
        if not keys:
            hint = "Give a key several values, or interval(a,b)."
            raise RunnerError("there is nothing to search", place="hydra/sweeper=optuna", hint=hint)
        if "seed" in keys:
            raise RunnerError("the seed is searched", place="seed", hint="repeat=3 scores every trial by three seeds.")
        fixed = [str(word.input_line) for word in words if not word.is_sweep_override()]
        seed = int(self.config.seed)
        return _Space(keys, fixed, range(seed, seed + int(self.config.repeat)))

    def _overrides(self, params: Mapping[str, Any]) -> list[list[str]]:
        """The overrides of a trial's jobs, one job a seed. params: the trial's values."""
        words = [*self._space.fixed, *as_words(params)]
        return [job for seed in self._space.seeds for job in self.composer.expanded([*words, f"seed={seed}"])]

    def _go_on(self, study: Study) -> None:
        """Show the trials of an earlier process too, and end those that it has left unfinished."""
        from optuna.trial import TrialState

        for trial in study.trials:
            jobs, first = self._overrides(trial.params), trial.number * len(self._space.seeds)
            if trial.state == TrialState.RUNNING:
                self._run(jobs, first)
                self._tell(study, trial.number)
            else:
                self.board.add(self._configs(jobs, first))

    def _search(self, study: Study, n_at_once: int) -> None:
        """Batch after batch of new trials, told in order."""
        while (n := min(n_at_once, self.knobs.n_trials - len(study.trials))) > 0:
            trials = [study.ask(dict(self._space.keys)) for _ in range(n)]
            jobs = [words for trial in trials for words in self._overrides(trial.params)]
            self._run(jobs, trials[0].number * len(self._space.seeds))
            for trial in trials:
                self._tell(study, trial.number)

    def _run(self, overrides: Sequence[Sequence[str]], first: int) -> None:
        self.runs.ticket = self.board.add(self._configs(overrides, first))
        self.launch(overrides, first)

    def _configs(self, overrides: Sequence[Sequence[str]], first: int) -> list[RunConfig]:
        """The jobs' configs, checked against the schema alone: the space was tried at its ends. Raises RunnerError."""
        jobs = list(self.composer.without_check().jobs(overrides, first=first))
        refuse_broken(jobs)
        return [job.config for job in jobs if job.config is not None]

    def _tell(self, study: Study, number: int) -> None:
        """Tell Optuna the mean score of the trial's jobs; that it was pruned; or, without a finished job, that it failed."""
        from optuna.trial import TrialState

        n_seeds = len(self._space.seeds)
        ended = self.board.outcomes()[number * n_seeds : (number + 1) * n_seeds]
        if any(job.status == "PRUNED" for job in ended):
            study.tell(number, state=TrialState.PRUNED)
            return
        scores = [job.score for job in ended if job.status == "FINISHED" and job.score is not None]
        if scores:
            study.tell(number, sum(scores) / len(scores))
        else:
            study.tell(number, state=TrialState.FAIL)
