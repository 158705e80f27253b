"""`python -m runner`: what a run leaves behind, how it ends, and that it comes out the same every time.

Most runs are made in this process, on 40 docs of the sample corpus with a tiny model; tests share them where they can.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import runner
from runner.__main__ import main
from runner.assemble import make_corpus
from runner.config.compose import compose

TINY = (
    "pipeline=ner", "optimizer=adam", "optimizer.learn_rate=0.01", "corpus.limit=40", "tok2vec=small", "tok2vec.width=16",
    "tok2vec.depth=1", "tok2vec.embed_size=100", "dropout=constant",
)  # fmt: skip

SUMMARY_KEYS = {
    "status", "run_id", "error", "best", "test", "model_best", "model_last", "train_words", "seconds", "train_words_per_second",
    "weights_sha256", "checkpoint_seconds", "fingerprint", "pruned", "rollbacks", "kernel", "chosen", "init",
    "init_tok2vec", "pseudo_labels",
}  # fmt: skip


@dataclass
class Ended:
    """A run that is over."""

    code: int
    folder: Path  # its output_dir
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text(encoding="utf8"))

    @property
    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf8"))

    @property
    def steps(self) -> list[int]:
        """Of the table's rows."""
        rows = [line.split() for line in self.stdout.splitlines()]
        return [int(row[1]) for row in rows if len(row) > 5 and row[0].isdigit()]


def train(cwd: Path, *overrides: str, tracking: str = "none") -> Ended:
    """In this process, in the folder `cwd`, into `cwd`/out."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*TINY, f"tracking={tracking}", "output_dir=out", *overrides])
    return Ended(code, cwd / "out", out.getvalue(), err.getvalue())


def query(store: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(autouse=True, scope="module")
def no_surroundings() -> Any:
    """No settings of the developer's own, and one thread."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "learn_rate", "hidden_width", "dropout_from"):
            patch.delenv(name, raising=False)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A finished run of three epochs."""
    return train(tmp_path_factory.mktemp("alone"), "training.max_epochs=3")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mlflow.db, in which two jobs of a multirun and the first of them once more were tracked."""
    folder = tmp_path_factory.mktemp("tracked")
    words = ("optimizer=adam,radam", "training.max_epochs=2", "hydra/launcher=basic")
    ended = train(folder, "-m", *words, tracking="mlflow")
    assert ended.code == 0, ended.stderr
    again = train(folder, "optimizer=adam", "training.max_epochs=2", "output_dir=again", tracking="mlflow")
    assert again.code == 0, again.stderr
    return folder


class TestBestEpoch:
    @pytest.mark.slow
    def test_each_component_is_of_its_own_and_the_model_scores_what_the_summary_says(self, tmp_path):
        ended = train(
            tmp_path, "pipeline=full", "training.best_epoch=each", "training.max_epochs=4", "training.eval_every=4",
            "optimizer.learn_rate=0.03", "+pipeline.components.ner.dropout=0.98",  # it learns nothing, and the others do
        )  # fmt: skip
        assert ended.code == 0, ended.stderr
        best = ended.summary["best"]
        assert len(set(best["epochs"].values())) > 1, "they peak together here, which shows nothing"
        dev = make_corpus(compose(["pipeline=full", "corpus.limit=40"])).dev
        scores = runner.load(ended.folder / "model-best").evaluate(dev)
        for key in ("tag_acc", "dep_las", "ents_f"):
            assert scores[key] == pytest.approx(best["scores"][key], abs=1e-9)
        epochs = ", ".join(f"{epoch} of {name}" for name, epoch in best["epochs"].items())
        assert f"Best: epoch {epochs}, score {100 * best['score']:.2f}" in ended.stdout

    def test_a_shared_tok2vec_is_of_one_epoch(self, tmp_path):
        ended = train(tmp_path, "pipeline=full", "pipeline.shared_tok2vec=true", "training.best_epoch=each")
        assert ended.code == 2
        assert ended.stderr.startswith(
            "training.best_epoch: components that share a tok2vec must come from the same epoch"
        )


class TestLeavesBehind:
    def test_models_config_and_summary_and_nothing_else(self, alone):
        assert alone.code == 0
        assert alone.stderr == ""
        assert {path.name for path in alone.folder.iterdir()} == {
            ".hydra", "config.yaml", "summary.json", "errors.html", "confusion.svg", "model-best", "model-last",
            "predictions.jsonl",
        }  # fmt: skip

    def test_a_summary_with_every_key(self, alone):
        summary = alone.summary
        assert summary.keys() == SUMMARY_KEYS
        assert summary["status"] == "FINISHED"
        assert summary["error"] is None
        assert summary["best"].keys() == {"epoch", "step", "score", "scores", "epochs"}
        assert summary["best"]["score"] == summary["best"]["scores"]["ents_f"]
        assert summary["best"]["step"] in alone.steps
        assert summary["model_best"] == str(alone.folder / "model-best")
        assert summary["model_last"] == str(alone.folder / "model-last")
        assert summary["train_words"] % 3 == 0  # three times the same epoch
        assert 0 < summary["train_words"] / summary["train_words_per_second"] < summary["seconds"]

    @pytest.mark.parametrize("name", ["model-best", "model-last"])
    def test_models_that_load_and_predict(self, alone, name):
        nlp = runner.load(alone.folder / name)
        doc = nlp("Ada Lovelace met Lin in Oslo.")
        assert all(0 <= ent.start < ent.end <= len(doc) for ent in doc.ents)
        assert len(doc) == 7

    def test_the_digest_of_the_last_model(self, alone):
        meta = json.loads((alone.folder / "model-last" / "meta.json").read_text(encoding="utf8"))
        assert meta["weights_sha256"] == alone.summary["weights_sha256"]
        assert meta["epoch"] == 3

    def test_a_resolved_config(self, alone):
        assert alone.config["training"]["max_epochs"] == 3
        assert alone.config["optimizer"]["learn_rate"] == 0.01
        assert "${" not in (alone.folder / "config.yaml").read_text(encoding="utf8")


class TestStopping:
    def test_after_max_steps(self, tmp_path):
        assert train(tmp_path, "training.max_steps=3").steps == [3]

    def test_an_evaluation_every_two_steps_and_one_at_the_end(self, tmp_path):
        assert train(tmp_path, "training.max_steps=5", "training.eval_every=2").steps == [2, 4, 5]

    def test_out_of_patience(self, tmp_path):
        """Weights that do not move: the first evaluation stays the best, and two more are waited for."""
        ended = train(
            tmp_path, "optimizer.learn_rate=0", "optimizer.L2=0", "training.eval_every=1", "training.patience=2"
        )
        assert ended.steps == [1, 2, 3]
        assert ended.summary["best"]["step"] == 1


class TestEnds:
    def test_badly_where_the_loss_is_not_finite(self, tmp_path):
        """Five good steps, an evaluation, then a rate that no float survives."""
        (tmp_path / "jump.py").write_text(
            "from runner import registry\n"
            "@registry.schedules('jump')\n"
            "def jump(low: float, high: float) -> registry.Schedule:\n"
            "    return lambda step: low if step < 5 else high\n"
        )
        ended = train(
            tmp_path,
            "code=[jump.py]",
            "optimizer.learn_rate={type: jump, low: 0.01, high: 1e38}",
            "training.eval_every=5",
        )
        assert ended.code == 1
        assert "at step 7" in ended.stderr
        assert len(ended.stderr.splitlines()) <= 2
        summary = ended.summary
        assert summary["status"] == "FAILED"
        assert "at step 7" in summary["error"]
        assert summary["best"]["step"] == 5
        for name in ("model-best", "model-last"):
            assert runner.load(ended.folder / name).meta["step"] == 5

    @pytest.mark.parametrize(
        "override", ["training.max_epoch=3", "training.max_epochs=many", "corpus.train=nowhere.iob", "optimizer=adan"]
    )
    def test_with_2_and_no_folder_where_config_or_data_are_wrong(self, tmp_path, override):
        ended = train(tmp_path, override)
        assert ended.code == 2
        assert 1 <= len(ended.stderr.splitlines()) <= 2
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("override", "place"),
        [
            ("tok2vec.width=99999999999999999999", "tok2vec.width"),
            ("corpus.limit=99999999999999999999", "corpus.limit"),
            ("dropout.value=1.5", "dropout"),
            ("optimizer.learn_rate=-1", "optimizer"),
            ("batch.size=[1", "'batch.size=[1'"),
            ("corpus.test=" + 300 * "x", "corpus.test"),
            ("compute={type: 3}", "compute"),
            ("++tok2vec.features=" + 150 * "[" + 150 * "]", "tok2vec.features"),
        ],
    )
    def test_with_2_at_the_key_where_a_value_is_out_of_all_bounds(self, tmp_path, override, place):
        """Each of these once ended in a traceback, in a lie about the place, or in a run."""
        ended = train(tmp_path, override)
        assert ended.code == 2, ended.stderr
        assert ended.stderr.lstrip("+").startswith(f"{place}: ")
        assert len(ended.stderr.splitlines()) <= 2

    @pytest.mark.parametrize(
        ("result", "code", "first"),
        [
            ("'much'", 2, "optimizer.learn_rate: the schedule gives 'much' at step 0"),
            ("float('nan') if step == 2 else 0.1", 1, "optimizer.learn_rate: the schedule gives nan at step 2"),
            ("0.1 / (2 - step)", 1, "mine.py:4: ZeroDivisionError: float division by zero"),
            ("[][0]", 2, "mine.py:4: IndexError: list index out of range"),
        ],
    )
    def test_in_code_of_the_users_own(self, tmp_path, result, code, first):
        """Two lines at the key, or at the file and line; 2 where the check of the config finds it, 1 where training does."""
        (tmp_path / "mine.py").write_text(
            "from runner import registry\n"
            f"@registry.schedules('mine{tmp_path.name}')\n"
            "def mine() -> registry.Schedule:\n"
            f"    return lambda step: {result}\n"
        )
        ended = train(tmp_path, "code=[mine.py]", f"optimizer.learn_rate={{type: mine{tmp_path.name}}}")
        assert ended.code == code, ended.stderr
        assert ended.stderr.splitlines()[0].removeprefix(f"{tmp_path}{os.sep}") == first
        assert len(ended.stderr.splitlines()) <= 2

    @pytest.mark.slow
    @pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
    @pytest.mark.parametrize("code", [130, 143])
    def test_killed_by_a_signal(self, killed, code):
        ended = killed[code]
        assert ended.code == code
        kept, end = ended.stderr.splitlines()
        assert kept.startswith("kept at step ")
        assert end == f"runner: {'interrupted' if code == 130 else 'terminated'}"
        assert ended.summary["status"] == "KILLED"
        assert runner.load(ended.folder / "model-last").meta["step"] >= 20
        assert wait_for_statuses(ended.folder.parent / "mlflow.db") == ["KILLED"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ended]:
    """Two endless trainings side by side, one ended by Ctrl-C (130) and one by SIGTERM (143) after their first row."""
    command = [
        sys.executable, "-m", "runner", *TINY, "output_dir=out", "training.max_epochs=100000", "training.eval_every=20",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parent.parent)}
    processes: dict[int, subprocess.Popen[str]] = {}
    folders = {code: tmp_path_factory.mktemp(str(code)) for code in (130, 143)}
    ended = {}
    try:
        for code, folder in folders.items():
            processes[code] = subprocess.Popen(
                command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        for code, process in processes.items():
            assert process.stdout is not None
            assert any(line.split()[:1] in (["1"], ["2"]) for line in process.stdout), "no row"  # the epoch of step 20
            process.send_signal(signal.SIGINT if code == 130 else signal.SIGTERM)
            stdout, stderr = process.communicate(timeout=60)
            ended[code] = Ended(process.returncode, folders[code] / "out", stdout, stderr)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return ended


def wait_for_statuses(store: Path) -> list[str]:
    """Of all runs, once none is running: the process that talks to MLflow may outlive the training by seconds."""
    deadline = time.monotonic() + 30
    while True:
        statuses = [status for (status,) in query(store, "select status from runs")] if store.exists() else []
        if (statuses and "RUNNING" not in statuses) or time.monotonic() > deadline:
            return statuses
        time.sleep(0.1)


class TestDeterminism:
    @pytest.mark.slow
    def test_in_a_process_of_its_own(self, alone, tmp_path):
        root = str(Path(runner.__file__).parent.parent)
        subprocess.run(
            [sys.executable, "-m", "runner", *TINY, "tracking=none", "output_dir=out", "training.max_epochs=3"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, check=True, capture_output=True,
        )  # fmt: skip
        assert Ended(0, tmp_path / "out", "", "").summary["weights_sha256"] == alone.summary["weights_sha256"]

    @pytest.mark.slow
    def test_as_a_later_job_of_a_multirun_and_after_other_trainings(self, alone, tmp_path):
        ended = train(tmp_path, "-m", "training.max_epochs=3", "seed=1,0")
        assert ended.code == 0
        digests = [
            json.loads((tmp_path / "out" / job / "summary.json").read_text())["weights_sha256"] for job in ("0", "1")
        ]
        assert digests[1] == alone.summary["weights_sha256"]
        assert digests[0] != digests[1]


class TestConfig:
    def test_tokens_of_the_tokenizer(self, tmp_path):
        """ "rock-bottom" is one word in the data and three to the tokenizer; the entities are found in both."""
        lines = [
            {"text": "Ada hit rock-bottom.", "words": ["Ada", "hit", "rock-bottom", "."], "entities": [[0, 3, "PER"]]},
            {"text": "Lin sleeps.", "words": ["Lin", "sleeps", "."], "entities": [[0, 3, "PER"]]},
        ]
        (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        ended = train(
            tmp_path, "corpus=files", "corpus.train=data.jsonl", "corpus.dev=data.jsonl", "corpus.gold_tokens=false",
            "training.max_steps=2",
        )  # fmt: skip
        assert ended.code == 0, ended.stderr
        assert ended.summary["best"]["scores"]["token_acc"] == pytest.approx(2 * 6 / (9 + 7), abs=0.2)
        assert ended.summary["best"]["scores"]["token_acc"] < 1

    def test_a_schedule_of_ones_own(self, tmp_path):
        """It says at which steps it was asked."""
        (tmp_path / "halving.py").write_text(
            "from pathlib import Path\n"
            "from runner import registry\n"
            "@registry.schedules('halving')\n"
            "def halving(start: float) -> registry.Schedule:\n"
            "    def rate(step):\n"
            "        with Path('asked.txt').open('a') as file:\n"
            "            file.write(f'{step} {start * 0.5**step}\\n')\n"
            "        return start * 0.5**step\n"
            "    return rate\n"
        )
        ended = train(
            tmp_path, "code=[halving.py]", "optimizer.learn_rate={type: halving, start: 0.1}", "training.max_steps=3"
        )
        assert ended.code == 0, ended.stderr
        assert (tmp_path / "asked.txt").read_text().splitlines()[-3:] == ["0 0.1", "1 0.05", "2 0.025"]

    def test_a_folder_of_configs_of_ones_own(self, tmp_path):
        (tmp_path / "conf" / "optimizer").mkdir(parents=True)
        (tmp_path / "conf" / "optimizer" / "careful.yaml").write_text("defaults:\n  - adam\n\nbeta2: 0.97\n")
        ended = train(tmp_path, "--config-dir", "conf", "optimizer=careful", "training.max_steps=1")
        assert ended.code == 0, ended.stderr
        assert ended.config["optimizer"]["type"] == "adam"
        assert ended.config["optimizer"]["beta2"] == 0.97

    def test_environment_variables_of_the_seeds_era(self, tmp_path, monkeypatch):
        """They set defaults; the command line (here the learning rate of TINY) has the last word."""
        for name, value in {"learn_rate": "0.5", "hidden_width": "24", "L2_penalty": "0.003", "batch_to": "5"}.items():
            monkeypatch.setenv(name, value)
        ended = train(tmp_path, "batch=growing", "training.max_steps=1")
        assert ended.config["optimizer"]["L2"] == 0.003
        assert ended.config["optimizer"]["learn_rate"] == 0.01
        assert ended.config["pipeline"]["components"]["ner"]["hidden_width"] == 24
        assert ended.config["batch"]["stop"] == 5


class TestMlflow:
    @pytest.mark.slow
    def test_three_finished_runs(self, tracked):
        runs = query(tracked / "mlflow.db", "select status from runs")
        assert runs == [("FINISHED",)] * 4, "three trainings, and the multirun's own"

    def test_the_same_config_has_the_same_name(self, tracked):
        names = [name for (name,) in query(tracked / "mlflow.db", "select name from runs order by start_time")]
        assert names.pop(0) == "sweep optimizer"
        assert names[0] == names[2] != names[1]
        assert names[0].startswith("adam lr=.01 ")
        assert names[1].startswith("radam lr=.01 ")

    def test_every_step_is_a_point_of_the_loss(self, tracked):
        summary = json.loads((tracked / "again" / "summary.json").read_text())
        steps = query(
            tracked / "mlflow.db",
            f"select step from metrics where key = 'train/loss' and run_uuid = '{summary['run_id']}' order by step",
        )
        events = [json.loads(line) for line in (tracked / "again" / "journal.jsonl").read_text().splitlines()]
        assert [step for (step,) in steps] == [event["step"] for event in events if event["event"] == "metrics"]
        assert [step for (step,) in steps] == list(range(1, len(steps) + 1))
        assert len(steps) > 20

    def test_at_most_60_metric_keys(self, tracked):
        trained = "run_uuid in (select run_uuid from metrics where key = 'train/loss')"
        counts = query(
            tracked / "mlflow.db", f"select count(distinct key) from metrics where {trained} group by run_uuid"
        )
        assert all(10 < count <= 60 for (count,) in counts)
        keys = {key for (key,) in query(tracked / "mlflow.db", "select distinct key from metrics")}
        assert {f"schedule/{key}" for key in ("learn_rate", "L2", "batch_size", "dropout")} <= keys
        assert {"train/loss", "train/grad_norm", "train/epoch", "speed/words_per_second"} <= keys
        assert {"dev/ents_p", "dev/ents_r", "dev/ents_f", "dev/token_acc"} <= keys
        assert all("/" in key for key in keys)

    def test_the_models_that_mlflow_has(self, tracked, monkeypatch):
        monkeypatch.chdir(tracked)
        summary = json.loads((tracked / "again" / "summary.json").read_text())
        assert len(query(tracked / "mlflow.db", "select name from logged_models")) == 6
        nlp = runner.load(f"runs:/{summary['run_id']}/model-best")
        assert nlp.meta["step"] == summary["best"]["step"]


class TestAugmenters:
    @pytest.mark.slow
    def test_change_what_is_learned_and_not_what_is_known(self, alone, tmp_path):
        """Other weights, the same words and scores of the same dev set, and the same bits when repeated."""
        choice = ("augmenters=[lower_case,noise]", "augmenters.noise.level=1.0", "training.max_epochs=3")
        first, _ = (train(tmp_path, *choice, f"output_dir={name}") for name in ("a", "b"))
        assert first.code == 0, first.stderr
        digests = [json.loads((tmp_path / name / "summary.json").read_text())["weights_sha256"] for name in ("a", "b")]
        assert digests[0] == digests[1] != alone.summary["weights_sha256"]
        known, augmented = (
            runner.load(folder).lexemes.frequencies
            for folder in (alone.folder / "model-last", tmp_path / "a" / "model-last")
        )
        assert known == augmented  # misspelt words were not counted

    def test_a_bad_level_is_refused_before_anything_is_loaded(self, tmp_path):
        ended = train(tmp_path, "augmenters=noise", "augmenters.noise.level=2")
        assert ended.code == 2
        assert "augmenters.noise" in ended.stderr
