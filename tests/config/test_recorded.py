"""A config that a run has kept gives the same config again, whatever has become of conf/ and the surroundings."""

from __future__ import annotations

import pytest
import yaml

from runner.config.compose import compose
from runner.config.recorded import recorded_config
from runner.errors import RunnerError


@pytest.fixture(autouse=True)
def _stand_ins() -> None:
    """None of the room's made-up entries: these configs are the project's own."""


def kept(*overrides):
    """As train.py writes it into config.yaml."""
    return yaml.safe_load(yaml.safe_dump(compose(overrides).as_dict(), sort_keys=False, allow_unicode=True))


def without_folder(config):
    return {key: value for key, value in config.as_dict().items() if key != "output_dir"}


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["pipeline=full", "optimizer=radam", "augmenters=noise", "seed=3"],
        ["experiment=textcat"],
        ["experiment=parser", "tracking=none"],
        ["optimizer.learn_rate={type: warmup_linear, initial_rate: 0.002, warmup_steps: 20, total_steps: 50}"],
    ],
)
def test_the_same_again(overrides):
    assert without_folder(recorded_config(kept(*overrides))) == without_folder(compose(overrides))


def test_the_surroundings_do_not_count(monkeypatch):
    record = kept("optimizer=adam")
    monkeypatch.setenv("learn_rate", "0.5")
    assert compose([]).optimizer["learn_rate"] == 0.5
    assert recorded_config(record).optimizer["learn_rate"] == "auto"


def test_a_new_folder_each_time_and_no_resuming():
    record = {**kept(), "resume": "auto"}
    first, second = recorded_config(record), recorded_config(record)
    assert len({str(record["output_dir"]), str(first.output_dir), str(second.output_dir)}) == 3
    assert first.resume is None
    assert recorded_config(record, ["output_dir=mine"]).output_dir.name == "mine"


def test_values_are_overridden_added_and_deleted():
    record = kept("pipeline=full", "dropout=constant")
    config = recorded_config(record, ["seed=5", "~pipeline.components.parser", "++corpus.limit=7"], ["pipeline=full"])
    assert (config.seed, list(config.pipeline.components), config.corpus.limit) == (5, ["tagger", "ner"], 7)
    assert config.overrides == ["pipeline=full", "seed=5", "~pipeline.components.parser", "++corpus.limit=7"]


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("optimizer=radam", "optimizer: a rerun cannot choose optimizer=radam"),
        ("seed=0,1", "seed: a rerun is a single run"),
        ("hydra.run.dir=x", "a rerun takes no settings of Hydra's"),
        ("sed=1", "sed"),
        ("seed=x", "seed"),
        ("training.max_epochs=0", "training.max_epochs"),
        ("~pipeline.components.tagger", "there is nothing to delete"),
        ("seed==", "seed=="),
    ],
)
def test_what_a_rerun_does_not_take(override, error):
    with pytest.raises(RunnerError) as raised:
        recorded_config(kept(), [override])
    assert error in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2
