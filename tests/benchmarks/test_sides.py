"""Both sides on a handful of docs, in this process: what is measured, and that both are scored alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.jobs import JOBS, Spec
from benchmarks.ours import measure as measure_ours

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")


class Words:
    """A side that learns nothing: 10 batches of 10 words an epoch."""

    train_words = 100

    def __init__(self):
        self.updates = 0

    def batches(self, epoch):
        return iter([(None, 10)] * 10)

    def update(self, batch):
        self.updates += 1

    def texts(self):
        return "texts", 50

    def predict(self, texts):
        assert texts == "texts"
        return "docs"

    def score(self, docs):
        assert docs == "docs"
        return {"a": self.updates / 100, "b": 0.0}

    def averaged(self):
        return measure_nothing()


class measure_nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


def test_a_curve_has_a_point_an_evaluation():
    found = measure.drive(Words(), score_weights={"a": 1.0}, epochs=2, evals=2)
    assert [point["words"] for point in found["curve"]] == [50, 100, 150, 200]
    assert [point["score"] for point in found["curve"]] == [0.05, 0.10, 0.15, 0.20]
    assert found["predict_words"] == 200
    assert found["steps"] == 20


def test_a_speed_run_evaluates_at_its_end_and_stops_after_the_words():
    found = measure.drive(Words(), score_weights={"a": 1.0, "b": 3.0}, epochs=5, words=115, is_curve=False)
    assert found["train_words"] == 120  # whole batches
    assert [point["epoch"] for point in found["curve"]] == [1.2]
    assert found["curve"][0]["score"] == pytest.approx(0.12 / 4)
    assert found["predict_words"] == 50


def test_evaluation_is_no_training_time():
    class Slow(Words):
        def score(self, docs):
            end = measure.time.process_time() + 0.05
            while measure.time.process_time() < end:
                pass
            return {"a": 0.0}

    found = measure.drive(Slow(), score_weights={"a": 1.0}, epochs=2)
    assert found["train_cpu_seconds"] < 0.05


def test_the_process_has_an_age_a_size_and_a_machine():
    assert 0 < measure.process_age() < 24 * 3600
    assert 10 < measure.peak_mb() < 100_000
    assert measure.machine()["cores"] >= 1


@needs_data
@pytest.mark.parametrize("job", ["tagger", "ner"])
def test_ours_is_measured(job):
    spec = Spec("accuracy", "ours", job, "words", epochs=2, limit=40, width=16, depth=1)
    found = measure_ours(spec)
    assert [point["epoch"] for point in found["curve"]] == [1.0, 2.0]
    assert set(JOBS[job].score) <= set(found["curve"][0]["scores"])
    assert found["train_words"] == found["curve"][-1]["words"] > 0
    assert found["blas"][0]["num_threads"] == 1
    assert found["cold_start_seconds"] > 0


@pytest.mark.slow
@needs_data
def test_the_peer_is_measured_on_converted_data(tmp_path):
    pytest.importorskip("spacy")
    from benchmarks.convert import convert
    from benchmarks.peer import measure as measure_peer

    convert(tmp_path, ["pipeline=ner", "corpus=wnut17", "corpus.limit=25"])
    found = measure_peer(Spec("speed", "spacy", "ner", "sentences", epochs=1, words=200, data=str(tmp_path)))
    ours = measure_ours(Spec("speed", "ours", "ner", "sentences", epochs=1, limit=25, width=8, depth=1))
    assert 200 <= found["train_words"] < 300
    assert found["predict_words"] == ours["predict_words"]
    assert found["train_words"] / found["curve"][0]["epoch"] == pytest.approx(
        ours["train_words"], abs=1
    )  # the same tokens
    assert "ents_f" in found["curve"][0]["scores"]


@needs_data
@pytest.mark.parametrize("job", ["tagger_parser", "ner", "textcat_bow"])
def test_spacy_scores_predictions_as_we_do(job, tmp_path: Path):
    """Gold docs, some of them spoiled, through both scorers."""
    spacy = pytest.importorskip("spacy")
    from benchmarks.convert import spacy_doc
    from benchmarks.jobs import our_overrides
    from benchmarks.ours import Ours
    from benchmarks.peer import add_component, scores_of
    from runner.config.compose import compose
    from runner.corpus.example import Example

    side = Ours(compose(our_overrides(Spec("speed", "ours", job, "words", epochs=1, limit=60, width=8, depth=1))))
    for batch, _ in side.batches(1):
        side.update(batch)
    docs = side.predict(side.texts()[0])
    dev = side.corpus.dev
    for i, (doc, example) in enumerate(zip(docs, dev, strict=True)):  # half right, so that no score is 0
        if i % 2 and job == "ner":
            doc.set_ents([ent.as_tuple() for ent in example.reference.ents])
        elif i % 2:
            doc.tags, doc.heads, doc.deps = example.reference.tags, example.reference.heads, example.reference.deps
            doc.cats = example.reference.cats or doc.cats
    ours = side.score(docs)
    nlp = spacy.blank("en")
    for name in JOBS[job].components:
        add_component(nlp, name, 8, 1)
    labels = sorted({label for example in dev for label in example.reference.cats or ()})
    pairs = [
        spacy.training.Example(spacy_doc(nlp.vocab, doc, labels), spacy_doc(nlp.vocab, example.reference, labels))
        for doc, example in zip(docs, dev, strict=True)
    ]
    if job == "textcat_bow":
        nlp.initialize(lambda: pairs)
    theirs = scores_of(nlp, pairs)
    assert all(isinstance(example, Example) for example in dev)
    for key in JOBS[job].score:
        assert 0.2 < ours[key] <= 1.0
        assert theirs[key] == pytest.approx(ours[key], abs=1e-9), key
