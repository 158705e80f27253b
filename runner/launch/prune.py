"""Pruning: a search ends a trial early if its score, after an evaluation, falls behind the scores of earlier trials.

The scores are in Optuna's journal file in the sweep's folder, so any process that can read and write the file takes part.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from runner.config.schema import RunConfig

Verdict = Callable[[int, float | None], bool]  # (number of the evaluation, score) → whether to stop


def make_judge(config: RunConfig) -> Verdict | None:
    """A function (number of the evaluation, score) → whether to stop the trial; None if no search prunes this run.

    A trial without a score goes on.
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
            warnings.simplefilter("ignore")  # a resumed trial reports evaluations a second time
            trial.report(score, number)
        return bool(trial.should_prune())

    return judge
