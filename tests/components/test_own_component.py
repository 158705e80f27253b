"""A component of a user's own, in one file: the rest of the house asks it, and never looks up its type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import srsly

import runner
from runner.__main__ import main
from runner.tracking.mlflow.flavor import TextModel
from runner.tracking.mlflow.view import _unpacked

OWN = '''\
"""Coarse tags: the first letter of each fine tag."""
import numpy as np
from runner import registry
from runner.components.base import Component
from runner.model import losses
from runner.model.linear import linear

@registry.components("coarse")
def coarse(name: str, tok2vec: registry.Tok2VecBlock):
    return Coarse(name, tok2vec)

class Coarse(Component):
    type, heading, columns = "coarse", "Coarse", {"coarse_acc": "Coarse %"}
    annotation, max_batch_size, score_weights = ("tags",), 4, {"coarse_acc": 1.0}

    def labels_in(self, examples):
        return sorted({tag[0] for example in examples for tag in example.reference.tags or () if tag})

    def build_head(self, width, dropout):
        return linear(f"{self.name}/scores", nO=len(self.labels), nI=width)

    def update(self, batch, examples):
        gold = [self.label_rows[tag[0]] if tag else -1 for e in examples for tag in e.aligned_tags()]
        Y, backprop = self.head.begin_update(batch.vectors)
        loss, dY = losses.cross_entropy(Y, np.array(gold))
        return loss, backprop(dY / np.float32(len(gold)))

    def annotate(self, batch):
        best = [self.labels[i] for i in self.head.predict(batch.vectors).argmax(axis=0)]
        for start, doc in zip(batch.layout.starts, batch.docs):
            doc.meta["coarse"] = best[start : start + len(doc)]

    def as_record(self, doc):
        return {"coarse": doc.meta["coarse"]}

    def score(self, examples):
        guesses = [guess for e in examples for guess in e.predicted.meta.get("coarse", e.predicted)]
        gold = [tag for e in examples for tag in e.aligned_tags()]
        right = [guess == tag[0] for guess, tag in zip(guesses, gold) if tag]
        return {"coarse_acc": sum(right) / len(right) if right else None}, {}
'''
WORDS = ["Ada", "met", "Bo", "in", "Rome"]
TAGS = ["NNP", "VBD", "NNP", "IN", "NNP"]
PIPELINE = (
    "pipeline=tagger", "~pipeline.components.tagger", "~pipeline.score_weights.tag_acc",
    "+pipeline.components.mine={type: coarse, tok2vec: ${tok2vec}}",
)  # fmt: skip


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's file; a process registers the component once."""
    path = tmp_path_factory.mktemp("code") / "own.py"
    path.write_text(OWN, encoding="utf8")
    return path


@pytest.fixture
def run(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The command line of a run with the component, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    rows = [{"words": WORDS[: n + 2], "tags": TAGS[: n + 2]} for n in (0, 1, 2, 3) * 4]
    for name in ("train.jsonl", "dev.jsonl"):
        srsly.write_jsonl(name, rows)
    return (
        *PIPELINE, f"code=[{code}]", "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "tok2vec=small",
        "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "training.max_epochs=12", "output_dir=out",
    )  # fmt: skip


def test_it_is_written_in_40_lines():
    assert len([line for line in OWN.splitlines() if line]) <= 40


@pytest.mark.slow
def test_a_run_prints_its_columns_and_mlflow_gets_them(run, code, capsys):
    assert main([*run, "batch=growing", "tracking=mlflow"]) == 0
    group, head, _, *rows = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert " Coarse " in group
    assert head.split()[2:4] == ["Loss", "%"]
    assert "100.00" in rows[11]
    summary = json.loads(Path("out/summary.json").read_text(encoding="utf8"))
    assert summary["best"]["scores"]["coarse_acc"] == 1.0

    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    tracked = client.get_run(summary["run_id"])
    assert tracked.data.metrics["dev/coarse_acc"] == 1.0
    assert tracked.data.metrics["schedule/batch_size"] <= 4 / 4  # of 16 examples
    tags = client.get_experiment(tracked.info.experiment_id).tags
    assert "metrics.`dev/coarse_acc`" in _unpacked(tags["mlflow.sharedViewState.runner"])["selectedColumns"]

    nlp = runner.load("out/model-best", code=[code])
    (answer,) = TextModel(nlp).predict("Ada met Bo")
    assert answer == {"text": "Ada met Bo", "coarse": ["N", "V", "N"]}


def test_debug_counts_its_labels(run, capsys):
    assert main(["debug", *run, "tracking=none"]) == 0
    rows = capsys.readouterr().out.partition("mine (coarse, 3 labels)\n")[2].splitlines()
    assert [row.split() for row in rows[1:4]] == [["N", "16", "16"], ["V", "16", "16"], ["I", "8", "8"]]
    assert "  ⚠ 1 label with fewer than 10 texts in train: I 8" in rows
