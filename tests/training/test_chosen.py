"""What a run chooses by its data: counts by hand, and what the loop then does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runner.assemble import make_corpus, make_learner
from runner.config.compose import compose
from runner.corpus.batching import by_sentences, by_words, growing
from runner.training.chosen import count_updates
from runner.training.loop import Training

TINY = ["tok2vec.width=8", "tok2vec.depth=1", "tok2vec.embed_size=50", "tracking=none"]


@pytest.mark.parametrize(
    ("batcher", "epochs", "most", "updates"),
    [
        (by_sentences(lambda step: 4), 3, None, 9),  # 10 examples: 4, 4, 2
        (by_sentences(lambda step: 4), 3, 5, 5),
        (growing(start=1.0, compound=2.0, stop=8.0), 1, None, 4),  # 1, 2, 4, 3
        (growing(start=1.0, compound=2.0, stop=8.0), 2, None, 6),  # and 8, 2
        (by_words(lambda step: 30), 2, None, 8),  # of 10 words each: three make a batch, and one is left
    ],
)
def test_updates_are_counted_before_the_first(batcher, epochs, most, updates):
    assert count_updates(batcher, np.full(10, 10), 0, epochs, most) == updates


def test_far_epochs_count_as_the_last_that_was_cut(monkeypatch):
    monkeypatch.setattr("runner.training.chosen.MOST_COUNTED", 15)
    assert count_updates(by_sentences(lambda step: 4), np.full(10, 10), 0, 100, None) == 300


@pytest.mark.parametrize("pipeline", ["ner", "tagger", "parser", "textcat", "textcat_bow"])
def test_the_rate_ends_with_the_last_update(pipeline):
    config = compose(
        [
            f"pipeline={pipeline}",
            "corpus.limit=20",
            "training.max_epochs=2",
            *(TINY if "bow" not in pipeline else TINY[-1:]),
        ]
    )
    corpus = make_corpus(config)
    nlp, sgd, plan = make_learner(config, corpus.train)
    nlp.initialize(lambda: corpus.train, sgd=sgd)
    steps = list(Training(nlp, corpus.train, corpus.dev, plan, sgd))
    rates = [step.learn_rate for step in steps]
    top = rates.index(max(rates))
    assert 0 < rates[-1] <= 2 * max(rates) / (len(rates) - top), "the last step of a straight line to 0"
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_epochs_that_are_left_open_are_told_with_their_updates():
    config = compose(["corpus.limit=20", *TINY])
    corpus = make_corpus(config)
    nlp, sgd, plan = make_learner(config, corpus.train)
    nlp.initialize(lambda: corpus.train, sgd=sgd)
    n_steps = sum(1 for _ in Training(nlp, corpus.train, corpus.dev, plan, sgd))
    assert plan.chosen["training.max_epochs"] == f"{plan.max_epochs} ({n_steps:,} updates)"
    assert plan.chosen["corpus.train"].startswith("20 texts of ")
    assert set(plan.chosen) == {"corpus.train", "training.max_epochs", "batch", "optimizer.learn_rate", "dropout"}


def test_what_is_given_is_not_chosen():
    given = ["batch=words", "dropout=constant", "optimizer.learn_rate=0.001", "training.max_epochs=1"]
    config = compose([*given, "corpus.limit=20", *TINY])
    assert make_learner(config, make_corpus(config).train)[2].chosen == {}


def test_each_of_several_components_has_its_own_dropout():
    config = compose(["pipeline=full", "corpus=sample", "corpus.limit=20", *TINY])
    nlp, _, plan = make_learner(config, make_corpus(config).train)
    rates = {name: component.drop(plan.dropout(0), 0) for name, component in nlp.components.items()}
    assert rates["parser"] < rates["ner"]
    alone = compose(["pipeline=parser", "corpus.limit=20", *TINY])
    nlp, _, plan = make_learner(alone, make_corpus(alone).train)
    assert plan.dropout(0) == pytest.approx(rates["parser"])


def test_more_data_more_words_an_update_and_no_fewer_updates():
    def size(limit):
        config = compose([f"corpus.limit={limit}", *TINY])
        plan = make_learner(config, make_corpus(config).train)[2]
        return int(plan.chosen["batch"].split()[0].replace(",", "")), json.dumps(plan.chosen)

    (few, _), (many, _) = size(20), size(300)
    assert few < many


def test_what_is_told_is_what_is_used():
    rate = "{type: warmup_linear, initial_rate: 0.01, warmup_steps: 2, total_steps: auto}"
    config = compose([f"optimizer.learn_rate={rate}", "corpus.limit=20", *TINY])
    plan = make_learner(config, make_corpus(config).train)[2]
    assert plan.chosen["optimizer.learn_rate"] == "up to 0.01, down to 0"


@pytest.mark.parametrize(
    ("lines", "repeats", "told"), [(300, 10, "single words"), (1200, 90, "n-grams of 1 to 2 words")]
)
def test_pairs_of_words_are_counted_where_the_data_hold_enough_of_them(tmp_path, lines, repeats, told):
    text = "good bad " * (repeats // 2)
    rows = [{"text": text, "cats": {"yes": i % 2, "no": 1 - i % 2}} for i in range(lines)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = [f"corpus.{part}={tmp_path / 'texts.jsonl'}" for part in ("train", "dev")]
    config = compose(["pipeline=textcat_bow", "corpus=files", *data, "tracking=none"])
    nlp, _, plan = make_learner(config, make_corpus(config).train)
    assert plan.chosen["pipeline.components.textcat.architecture"] == told
    (order,) = {block["architecture"]["max_order"] for block in nlp.describe()["components"].values()}
    assert order == (1 if told == "single words" else 2)
