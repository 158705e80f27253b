"""What a composed config takes from the environment."""

from __future__ import annotations

import pytest

from runner.config.compose import compose


@pytest.mark.parametrize(
    ("words", "variable", "name"),
    [
        ([], None, "runner"),
        ([], "", "runner"),
        ([], "of the team", "of the team"),
        (["tracking=none"], "of the team", "of the team"),
        (["tracking.experiment=null"], "of the team", "of the team"),
        (["tracking.experiment=mine"], "of the team", "mine"),
        (["tracking.experiment=runner"], "of the team", "runner"),
    ],
)
def test_the_experiment_is_the_configs_else_of_the_environment(monkeypatch, words, variable, name):
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    if variable is not None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", variable)
    config = compose(words)
    assert config.experiment == name


def test_a_password_from_the_environment_is_kept_as_its_expression(monkeypatch):
    monkeypatch.setenv("STORE_PASSWORD", "pl4nted-pa55word")
    config = compose(["tracking.uri=http://me:${oc.env:STORE_PASSWORD}@host:5000"])
    assert config.tracking["uri"] == "http://me:pl4nted-pa55word@host:5000"
    assert config.as_dict()["tracking"]["uri"] == "http://me:${oc.env:STORE_PASSWORD}@host:5000"
