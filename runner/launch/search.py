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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
from hydra.plugins.sweeper import Sweeper

from runner.config.nodes import OPTUNA
from runner.errors import RunnerError
from runner.launch import workers
from runner.launch.grid import (
    checked,
    folder_of,
    jobs_at_a_time,
    join_cluster,
    place,
    refuse_broken,
    refuse_swept,
    side_by_side,
)
from runner.launch.program import Runs

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig

STUDY = "study.log"
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")


class OptunaSweeper(Sweeper):
    """n_trials: in all, those of an earlier start included. pruner: ends trials that fall behind (see launch/prune.py)."""

    def __init__(
        self, n_trials: int, sampler: str, pruner: str, seed: int, params: Mapping[str, str] | None = None
    ) -> None:
        for name, value, known in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS)):
            if value not in known:
                raise RunnerError(
                    f"unknown {name} {value!r} (known: {', '.join(known)})", place=f"hydra.sweeper.{name}"
                )
        if n_trials < 1:
            raise RunnerError(f"n_trials is {n_trials}; it must be at least 1", place="hydra.sweeper.n_trials")
        if importlib.util.find_spec("optuna") is None:
            raise RunnerError(
                "Optuna is not installed", place="hydra/sweeper", hint='pip install "declarative-runner[search]"'
            )
        self.n_trials, self.sampler, self.pruner, self.seed = n_trials, sampler, pruner, seed
        self.params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: Any, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        assert isinstance(task_function, Runs)
        self.runs = task_function
        self.hydra_context: Any = hydra_context
        self.config: Any = config
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        runs, loader = self.runs, self.hydra_context.config_loader
        refuse_swept(arguments, self.params, loader)
        words = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
        space = {one.get_key_element(): _distribution(one) for one in parsed if one.is_sweep_override()}
        fixed = [str(one.input_line) for one in parsed if not one.is_sweep_override()]
        if not space:
            raise RunnerError(
                "there is nothing to search",
                place="hydra/sweeper=optuna",
                hint="Give a key several values, or interval(a,b).",
            )
        if "seed" in space:
            raise RunnerError("the seed is searched", place="seed", hint="repeat=3 scores every trial by three seeds.")
        n_seeds, seed = int(self.config.repeat), int(self.config.seed)
        corners = [
            [*fixed, *(f"{key}={end(distribution)}" for key, distribution in space.items())] for end in (_low, _high)
        ]
        jobs = [
            job for corner in corners for job in checked(loader, self.config, corner, {}, runs.check, runs.config_dir)
        ]
        refuse_broken(jobs)
        assert runs.board is not None
        board: Any = runs.board()
        configs = [job.config for job in jobs if job.config is not None]
        identity = [self.sampler, str(self.seed), *(f"{key}={value}" for key, value in space.items()), *fixed]
        runs.is_multirun = True
        runs.ticket = board.begin(configs, *folder_of(self.config), search=identity, n_jobs=self.n_trials * n_seeds)
        place(self.config, runs.ticket.folder)
        at_a_time = jobs_at_a_time(self.config, self.n_trials * n_seeds)
        if at_a_time > 1:
            self.launcher = side_by_side(self, runs, at_a_time)
        join_cluster(self.launcher)
        workers.in_order(self.launcher, runs)
        study = make_study(runs.ticket.folder / STUDY, self.sampler, self.pruner if n_seeds == 1 else "none", self.seed)
        if n_seeds == 1 and self.pruner != "none":
            runs.ticket = board.with_study(runs.ticket.folder / STUDY)
        status = "KILLED"
        try:
            self._search(study, space, fixed, board, max(1, at_a_time // n_seeds), [seed + i for i in range(n_seeds)])
            status = "FAILED" if runs.failures else "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            workers.end()
            board.end(status, {f.number: f.message for f in runs.failures if f.number is not None})

    def _search(
        self,
        study: Any,
        space: Mapping[str, Any],
        fixed: Sequence[str],
        board: Any,
        n_trials: int,
        seeds: Sequence[int],
    ) -> None:
        """Batch after batch of trials, those first that an earlier process has left unfinished."""
        from optuna.trial import TrialState

        left = [trial.number for trial in study.trials if trial.state == TrialState.RUNNING]
        known = study.trials
        for trial in known:  # the table shows them too
            self._launch(board, trial.number, _words(trial.params), fixed, seeds, is_run=trial.number in left)
            if trial.number in left:
                self._tell(study, trial.number, board, len(seeds))
        while (n := min(n_trials, self.n_trials - len(study.trials))) > 0:
            batch = [study.ask(dict(space)) for _ in range(n)]
            overrides = [[*fixed, *_words(trial.params), f"seed={seed}"] for trial in batch for seed in seeds]
            first = batch[0].number * len(seeds)
            self._run(board, overrides, first)
            for trial in batch:
                self._tell(study, trial.number, board, len(seeds))

    def _launch(
        self, board: Any, number: int, words: Sequence[str], fixed: Sequence[str], seeds: Sequence[int], *, is_run: bool
    ) -> None:
        overrides = [[*fixed, *words, f"seed={seed}"] for seed in seeds]
        if is_run:
            self._run(board, overrides, number * len(seeds))
        else:
            board.add(self._configs(overrides, number * len(seeds)))

    def _run(self, board: Any, overrides: Sequence[Sequence[str]], first: int) -> None:
        self.runs.ticket = board.add(self._configs(overrides, first))
        self.launcher.launch(overrides, initial_job_idx=first)

    def _configs(self, overrides: Sequence[Sequence[str]], first: int) -> list[Any]:
        loader = self.hydra_context.config_loader
        found = []
        for i, words in enumerate(overrides):
            (job,) = checked(loader, self.config, words, {}, None, self.runs.config_dir, first=first + i)
            refuse_broken([job])
            found.append(job.config)
        return found

    def _tell(self, study: Any, number: int, board: Any, n_seeds: int) -> None:
        """The mean score of the trial's jobs; of a pruned one, how far it got; a trial of which no job has finished failed."""
        from optuna.trial import TrialState

        ended = board.outcomes()[number * n_seeds : (number + 1) * n_seeds]
        if any(one.status == "PRUNED" for one in ended):
            study.tell(number, state=TrialState.PRUNED)
            return
        scores = [one.score for one in ended if one.status == "FINISHED" and one.score is not None]
        if scores:
            study.tell(number, sum(scores) / len(scores))
        else:
            study.tell(number, state=TrialState.FAIL)


def make_study(path: Path, sampler: str, pruner: str, seed: int) -> Any:
    """The study in that file, a new one where there is none."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    n = 0
    storage = JournalStorage(JournalFileBackend(str(path)))
    known = {study.study_name for study in storage.get_all_studies()}
    if known:
        n = len(optuna.load_study(study_name=path.stem, storage=storage).trials)
    # The sampler's own state is not kept: a search that goes on draws anew, as a function of the seed and how far it is.
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed + n),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed + n),
    }
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        "none": optuna.pruners.NopPruner,
    }
    return optuna.create_study(
        study_name=path.stem, storage=storage, sampler=samplers[sampler](), pruner=pruners[pruner](),
        direction="maximize", load_if_exists=True,
    )  # fmt: skip


def _distribution(override: Any) -> Any:
    """Optuna's, for Hydra's sweep syntax."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    key = override.get_key_element()
    is_log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        low, high = float(value.start or 0), float(value.end or 0)
        if low > high or (is_log and low <= 0):
            raise RunnerError(f"interval({low}, {high}) holds no number", place=key)
        return FloatDistribution(low, high, log=is_log)
    if isinstance(value, RangeSweep):
        start, stop, step = value.start, value.stop, 1 if is_log else value.step
        if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
            if stop <= start or step < 1:
                raise RunnerError("the range is empty", place=key)
            return IntDistribution(start, stop - 1, step=step, log=is_log)
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    assert isinstance(value, ChoiceSweep)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _low(distribution: Any) -> Any:
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def _high(distribution: Any) -> Any:
    return distribution.choices[-1] if hasattr(distribution, "choices") else distribution.high


def _words(params: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def register(words: Sequence[str]) -> None:
    """Tell Hydra of the sweeper where the command line asks for it. Hydra takes plugins by names in its own package alone."""
    from hydra.core.plugins import Plugins

    if any("sweeper=optuna" in word for word in words):
        Plugins.instance().class_name_to_class[OPTUNA["_target_"]] = OptunaSweeper
