"""Training on a packed corpus ends with the same weights, to the bit, as on the same corpus in memory."""

import pytest

from runner.blocks import resolve
from runner.components.pipeline import Pipeline
from runner.components.storage import weights_sha256
from runner.corpus.batching import by_words
from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.locate import SAMPLE
from runner.corpus.packed.examples import PackedExamples
from runner.corpus.readers.auto import auto
from runner.corpus.tokenizer import syntok
from runner.training.loop import Plan, training_steps

TOK2VEC = {"type": "hash_embed_cnn", "width": 16, "depth": 1, "embed_size": 100}


def train(folder, in_memory_words, gold_tokens, **cut):
    spec = CorpusSpec(
        SAMPLE / "train.jsonl", **cut, gold_tokens=gold_tokens, in_memory_words=in_memory_words, cache=folder
    )
    corpus = load_corpus(spec, reader=auto(), tokenizer=syntok(), recipe="")
    assert isinstance(corpus.train, PackedExamples) == (in_memory_words == 0)
    nlp = Pipeline(seed=1, shared_tok2vec=True)
    for name in ("tagger", "parser", "ner"):
        nlp.add_pipe(name, {"tok2vec": TOK2VEC})
    sgd = nlp.initialize(lambda: corpus.train, sgd=resolve({"type": "adam"}, "optimizers", "optimizer"))
    plan = Plan(
        batcher=by_words(size=lambda step: 300),
        dropout=lambda step: 0.1,
        score_weights={"tag_acc": 1.0},
        max_epochs=2,
        eval_every=10,
    )
    steps = list(training_steps(nlp, corpus.train, corpus.dev, plan, sgd))
    return (
        weights_sha256(nlp),
        nlp.lexemes.frequencies,
        [component.labels for component in nlp.components.values()],
        [(step.losses, step.words, step.epoch_words, step.evaluation and step.evaluation.score) for step in steps],
    )


@pytest.mark.parametrize(
    ("gold_tokens", "cut"),
    [(True, {"dev": SAMPLE / "dev.jsonl", "limit": 60}), (False, {"dev": None, "folds": 3, "fold": 1, "limit": 60})],
)
def test_the_same_weights(tmp_path, gold_tokens, cut):
    in_memory = train(tmp_path, 10**9, gold_tokens, **cut)
    assert train(tmp_path, 0, gold_tokens, **cut) == in_memory  # packed now
    assert train(tmp_path, 0, gold_tokens, **cut) == in_memory  # and found again
