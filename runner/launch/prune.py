"""Ends a trial of a search that falls behind: after each evaluation its score is held against those of earlier trials.

The study is Optuna's journal file in the sweep's folder; any process that can read and write it may take part.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from runner.config.schema import RunConfig

Judge = Callable[[int, float | None], bool]


def make_judge(config: RunConfig) -> Judge | None:
    """(number of the evaluation, score) → whether to stop. None where no search asks for it.

    Without a score there is nothing to judge by, and the trial goes on.
    """
    ticket = config.sweep
    if ticket is None or ticket.study is None or config.job_number is None:
        return None
    import optuna

    from runner.launch.study import make_study

    study = make_study(ticket.study, "random", "median", 0)
    storage = study._storage
    trial = optuna.trial.Trial(
        study, storage.get_trial_id_from_study_id_trial_number(study._study_id, config.job_number)
    )

    def judge(number: int, score: float | None) -> bool:
        if score is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a resumed trial: reported before
            trial.report(score, number)
        return bool(trial.should_prune())

    return judge
