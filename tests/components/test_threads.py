"""Several threads, one pipeline: the answers of one thread. At length: python -m tests.stress.threads."""

from __future__ import annotations

import importlib
import threading

import numpy as np
import pytest

import runner
from runner.components.inputs import Batch
from runner.components.storage import weights_sha256
from runner.corpus import tokenizer
from runner.corpus.doc import Doc
from runner.corpus.lexemes import Lexemes, _Column
from runner.registry import Registry
from tests.components.test_pipeline import TRAIN_DATA, small_ner, trained
from tests.stress.threads import KINDS, SMALL, answer, ask, at_once, new_texts, race, sample, train


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: train(folder, kind, steps=8) for kind in KINDS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_new_words_in_eight_threads_are_answered_as_in_one(models, kind):
    assert race(models[kind], "numpy", n_threads=8, n_texts=100) == ([], 0, 0)


def test_compiled_loops_share_nothing_between_threads(models):
    pytest.importorskip("numba")
    assert race(models["parser"], "numba", n_threads=4, n_texts=60) == ([], 0, 0)


def test_two_pipelines_in_two_threads_do_not_meet(models):
    texts = new_texts(100, seed=1)
    right = {kind: list(ask(runner.load(models[kind]), texts, True)) for kind in ("ner", "tagger")}
    ner, tagger = (runner.load(models[kind]) for kind in ("ner", "tagger"))
    tasks = [lambda: list(ask(ner, texts, True)), lambda: list(ask(tagger, texts, True))]
    assert at_once(tasks) == [right["ner"], right["tagger"]]


def test_the_first_calls_may_come_at_once():
    """Models, and the tokenizer, are made at the first call: by one thread, for all."""

    def unbuilt():
        nlp = runner.blank()
        for kind in ("tagger", "textcat"):
            nlp.add_pipe(kind, {"tok2vec": SMALL["tok2vec"], **SMALL.get(kind, {})})
            for label in "ABC":
                nlp.get_pipe(kind).add_label(label)
        return nlp

    text = "the night train from Vienna"
    right = answer(unbuilt()(text))
    for _ in range(5):
        nlp = unbuilt()
        assert at_once([lambda nlp=nlp: answer(nlp(text))] * 8) == [right] * 8


def test_rows_that_an_optimizer_put_off_are_brought_up_to_date_once():
    texts = [text for text, _ in TRAIN_DATA]

    def learned():
        return trained(n_iterations=4)[0]

    right = learned()
    wanted = [answer(doc) for doc in right.pipe(texts)]
    for _ in range(3):
        nlp = learned()
        assert at_once([lambda nlp=nlp: [answer(doc) for doc in nlp.pipe(texts)]] * 8) == [wanted] * 8
        assert weights_sha256(nlp) == weights_sha256(right)


def test_a_registry_is_not_asked_before_it_is_filled(monkeypatch):
    table = Registry("schedules", ("runner.training.schedules",))
    answers = []

    def ask_now():
        answers.append(table.names())

    def importing(name):
        """A second thread asks while the first one fills the table."""
        other = threading.Thread(target=ask_now)
        other.start()
        other.join(0.1)  # it waits for this one
        table("constant")(lambda: None)
        others.append(other)

    others: list[threading.Thread] = []
    monkeypatch.setattr(importlib, "import_module", importing)
    ask_now()
    others[0].join()
    assert answers == [["constant"]] * 2


@pytest.mark.slow
def test_a_word_is_the_same_whoever_meets_it_first():
    def tokens(lexemes, word_numbers):
        docs = [Doc([f"Word{i}", f"word{i}"]) for i in word_numbers]
        found = Batch.of(docs, lexemes).tokens(("norm", "suffix", "shape"))
        return found.features.tolist(), found.counts.tolist()

    lexemes = Lexemes()
    orders = [range(start, start + 4000) for start in range(0, 800, 100)]
    found = at_once([lambda order=order: tokens(lexemes, order) for order in orders])
    assert found == [tokens(Lexemes(), order) for order in orders]
    assert [tokens(lexemes, order) for order in orders] == found  # and afterwards


def test_a_table_that_is_full_is_replaced_while_batches_go_on_with_theirs(models):
    work = [new_texts(60, seed) for seed in range(8)]
    right = [list(ask(runner.load(models["tagger"]), texts, True)) for texts in work]
    nlp = runner.load(models["tagger"])
    nlp.network.lexemes = Lexemes(nlp.lexemes.frequencies, capacity=20)
    assert at_once([lambda texts=texts: list(ask(nlp, texts, True)) for texts in work]) == right
    assert len(nlp.lexemes.table) < 500  # words of the last batches; there were thousands


def test_a_full_table_keeps_the_training_corpus_and_so_the_bits():
    examples = [runner.Example.from_dict(Doc(text.split()), annotation) for text, annotation in TRAIN_DATA]

    def weights(capacity):
        nlp = runner.blank()
        nlp.add_pipe("ner", small_ner())
        sgd = nlp.initialize(lambda: examples)
        nlp.lexemes._capacity = capacity
        for step in range(6):
            nlp.update([examples[step], examples[step + 1]], drop=0.1, sgd=sgd)
            nlp(f"some other{step} words{step}")
        return weights_sha256(nlp)

    assert weights(capacity=2) == weights(capacity=1000)


def test_columns_grow_by_doubling():
    """A stream of new words costs the same a word, however many there were before."""
    column = _Column("int64")
    arrays = []
    for i in range(1000):
        column.extend(np.array([i]))
        arrays.append(column.values.base)
    assert column.values.tolist() == list(range(1000))
    assert len({id(array) for array in arrays}) <= 11


def test_a_call_keeps_the_components_that_it_began_with(models):
    """select_pipes counts for all threads, from their next call on."""
    nlp = runner.load(models["tagger"])
    annotate = nlp.get_pipe("tagger").annotate

    def disabling(batch):
        nlp._disabled = frozenset(["tagger"])
        annotate(batch)

    nlp.get_pipe("tagger").annotate = disabling
    docs = [Doc(record["words"] * 80) for record in sample(5)]  # more than one batch
    nlp.predict(docs)
    assert all(doc.tags is not None for doc in docs)


def test_a_tokenizer_of_spacy_is_asked_by_one_thread_at_a_time(monkeypatch):
    """Japanese's, say, raises "Already borrowed" where two ask at once."""
    spacy = pytest.importorskip("spacy")
    inside = []

    class Borrowed:
        def make_doc(self, text):
            inside.append(text)
            doc = blank.make_doc(" ".join(reversed(text.split())))
            assert inside == [text], "Already borrowed"
            inside.clear()
            return doc

    blank = spacy.blank("en")
    monkeypatch.setattr(spacy, "blank", lambda lang: Borrowed())
    tokenize = tokenizer.spacy("ja")
    found = at_once([lambda: [tokenize("a b c") for _ in range(200)]] * 8)
    assert found == [[tokenize("a b c")] * 200] * 8
