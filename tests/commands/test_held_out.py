"""The test set: scored once, by model-best, at the end; chosen by it is nothing."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import runner
from runner.__main__ import main
from runner.assemble import make_corpus
from runner.config.compose import compose

TINY = (
    "pipeline=ner", "optimizer.learn_rate=0.01", "corpus.limit=40", "tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1",
    "tok2vec.embed_size=100", "dropout=constant", "training.max_epochs=2",
)  # fmt: skip
TEST = "corpus.test={bundled: train.jsonl}"  # other texts than dev's


def train(cwd: Path, *overrides: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*TINY, *overrides])
    return code, out.getvalue(), err.getvalue()


def summary_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder with a run that was scored on test texts, and what it said."""
    folder = tmp_path_factory.mktemp("held-out")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        code, out, err = train(folder, TEST, "output_dir=scored")
    assert code == 0, err
    return folder, out, err


def test_model_best_has_the_scores_that_are_told(place):
    folder, out, err = place
    found = summary_of(folder / "scored")["test"]
    with contextlib.chdir(folder):
        examples = make_corpus(compose([*TINY, TEST, "tracking=none"])).test
    scores = runner.load(folder / "scored" / "model-best").evaluate(examples)
    told = {key: value for key, value in scores.items() if key not in ("speed", "per_type")}
    assert found["scores"] == pytest.approx(told, abs=1e-6)  # the file has ten digits
    assert found["score"] == found["scores"]["ents_f"]
    assert f"\nTest: score {100 * found['score']:.2f} (token_acc 100.00, ents_p " in out
    assert "warning: corpus.test: train.jsonl is also training data" in err


def test_mlflow_has_them_and_the_data_set(place):
    folder, _, _ = place
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    found = summary_of(folder / "scored")
    run = client.get_run(found["run_id"])
    assert run.data.metrics["test/score"] == pytest.approx(found["test"]["score"], abs=1e-6)
    assert run.data.metrics["test/ents_p"] == pytest.approx(found["test"]["scores"]["ents_p"], abs=1e-6)
    assert run.data.metrics["dev/best_score"] == pytest.approx(found["best"]["score"], abs=1e-6)  # of dev
    tags = [tag.value for one in run.inputs.dataset_inputs for tag in one.tags]
    assert sorted(tags) == ["dev", "test", "train"]


def test_the_weights_are_those_of_a_run_without_a_test_set_and_none_is_read_when_tuning(place):
    folder, _, _ = place
    words = ("corpus.test=nowhere.jsonl", "corpus.score_test=false", "output_dir=tuned", "tracking=none")
    code, out, err = train(folder, *words)
    assert (code, err) == (0, "")
    assert "Test:" not in out
    scored, tuned = summary_of(folder / "scored"), summary_of(folder / "tuned")
    assert tuned["test"] is None
    assert (tuned["best"], tuned["weights_sha256"]) == (scored["best"], scored["weights_sha256"])
    assert tuned["fingerprint"] != scored["fingerprint"]  # a sweep that is to score it does not pass the job over


def test_what_is_wrong_with_it_is_told_before_training(tmp_path):
    code, _, err = train(tmp_path, "corpus.test=nowhere.jsonl", "output_dir=out", "tracking=none")
    assert code == 2
    assert err.startswith("corpus.test: there is no file nowhere.jsonl")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_taken_up_again_scores_it_too(place):
    folder, _, _ = place
    words = (TEST, "output_dir=interrupted", "tracking=none", "training.checkpoint_steps=1")
    before = summary_of(folder / "scored")
    with pytest.MonkeyPatch.context() as patch:  # the power fails while the test set is scored
        patch.setattr("runner.commands.train.scores_on_test", cut)
        assert train(folder, *words)[0] != 0
    code, out, err = train(folder, *words, "resume=auto")
    assert code == 0, err
    assert "goes on after step" in out
    after = summary_of(folder / "interrupted")
    assert (after["test"], after["weights_sha256"]) == (before["test"], before["weights_sha256"])


def cut(*_: Any) -> None:
    raise KeyboardInterrupt


def test_published_test_sets_wait_for_the_last_measurement():
    conf = Path(runner.__file__).parent.parent / "conf" / "corpus"
    for path in conf.glob("*.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf8"))
        assert config["score_test"] is (config["test"] is None), path.name
