"""The Python API: what a user of `runner.blank` sees."""

from __future__ import annotations

import random

import numpy as np
import pytest

import runner
from runner.components.pipeline import Pipeline
from runner.components.scores import final_score
from runner.components.storage import weights_sha256
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError

TRAIN_DATA = [
    ("Uber blew through $1 million a week", {"entities": [(0, 4, "ORG")]}),
    ("Android Pay expands to Canada", {"entities": [(0, 11, "PRODUCT"), (23, 29, "GPE")]}),
    ("Spotify steps up Asia expansion", {"entities": [(0, 7, "ORG"), (17, 21, "LOC")]}),
    ("Google Maps launches location sharing", {"entities": [(0, 11, "PRODUCT")]}),
    ("Google rebrands its business apps", {"entities": [(0, 6, "ORG")]}),
    ("look what i found on google!", {"entities": [(21, 27, "PRODUCT")]}),
    ("Maria moved to Lima in May", {"entities": [(0, 5, "PERSON"), (15, 19, "GPE"), (23, 26, "DATE")]}),
    ("Tom likes the Andes", {"entities": [(0, 3, "PERSON"), (10, 19, "LOC")]}),
    ("It rained all day", {"entities": []}),
    ("Peru is far from Norway", {"entities": [(0, 4, "GPE"), (17, 23, "GPE")]}),
]


def small_ner():
    return {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2, "embed_size": 200}}


def trained(n_iterations=30, seed=0):
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("ner", small_ner())
    sgd = nlp.initialize()
    data = list(TRAIN_DATA)
    shuffler = random.Random(0)
    for _ in range(n_iterations):
        shuffler.shuffle(data)
        for batch in runner.minibatch(data, size=4):
            texts, annotations = zip(*batch, strict=True)
            nlp.update(texts, annotations, drop=0.1, sgd=sgd)
    return nlp, sgd


@pytest.fixture(scope="module")
def memory():
    return trained()


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def test_the_simple_training_loop_learns_ten_sentences_by_heart(memory):
    nlp, _ = memory
    for text, annotation in TRAIN_DATA:
        assert entities(nlp(text)) == annotation["entities"]


def test_averaged_parameters_are_borrowed_saved_and_loaded(memory, tmp_path):
    nlp, sgd = memory
    raw = nlp.parameters.weights.copy()
    with nlp.use_params(sgd.averages):
        averaged = weights_sha256(nlp)
        nlp.to_disk(tmp_path / "model")
    assert (nlp.parameters.weights == raw).all()
    loaded = runner.load(tmp_path / "model")
    assert weights_sha256(loaded) == averaged
    names = sorted(file.name for file in (tmp_path / "model").iterdir())
    assert names == ["config.json", "lexemes.msgpack", "meta.json", "weights.msgpack"]
    texts = [text for text, _ in TRAIN_DATA]
    assert [entities(doc) for doc in loaded.pipe(texts)] == [a["entities"] for _, a in TRAIN_DATA]


def test_pipe_gives_what_single_calls_give(memory):
    nlp, _ = memory
    texts = [text for text, _ in TRAIN_DATA] * 3 + [""]
    assert [entities(doc) for doc in nlp.pipe(texts, batch_size=7)] == [entities(nlp(text)) for text in texts]


def test_pipe_holds_few_long_texts_at_a_time(memory):
    nlp, _ = memory
    taken = 0

    def texts():
        nonlocal taken
        for number in range(9):
            taken += 1
            yield f"Uber {number} lives. " * 1250  # 5,000 words

    assert len(next(nlp.pipe(texts()))) == 5000
    assert taken == 3


def test_the_same_seed_gives_the_same_bits_whatever_ran_before():
    first = weights_sha256(trained(n_iterations=3)[0])
    trained(n_iterations=2, seed=5)
    assert weights_sha256(trained(n_iterations=3)[0]) == first
    assert weights_sha256(trained(n_iterations=3, seed=1)[0]) != first


def test_blis_and_openblas_agree_to_rounding():
    weights = {}
    texts, annotations = zip(*TRAIN_DATA, strict=True)
    for ops in ("numpy", "blis"):
        nlp = runner.Pipeline("en", ops=ops)
        nlp.add_pipe("ner", small_ner())
        nlp.update(texts, annotations, sgd=nlp.initialize())
        weights[ops] = nlp.parameters.weights
    np.testing.assert_allclose(weights["numpy"], weights["blis"], atol=1e-5)


def test_losses_add_up_by_component_and_fall(memory):
    nlp = runner.blank("en")
    nlp.add_pipe("ner", small_ner())
    sgd = nlp.initialize(lambda: [runner.Example.from_dict(nlp.make_doc(t), a) for t, a in TRAIN_DATA])
    history = []
    for _ in range(15):
        losses = {}
        for text, annotation in TRAIN_DATA:
            nlp.update([text], [annotation], sgd=sgd, losses=losses)
        history.append(losses["ner"])
    assert history[-1] < 0.2 * history[0]


def test_a_new_label_is_learned_and_the_old_ones_are_kept(memory):
    nlp, sgd = trained()
    before = {text: entities(nlp(text)) for text, _ in TRAIN_DATA[:3]}
    assert nlp.get_pipe("ner").add_label("ANIMAL")
    assert not nlp.get_pipe("ner").add_label("ANIMAL")
    assert {text: entities(nlp(text)) for text in before} == before  # the new label starts below O
    horse = ("Horses are tall", {"entities": [(0, 6, "ANIMAL")]})
    for _ in range(25):
        for item in [horse, *TRAIN_DATA]:
            nlp.update([item[0]], [item[1]], sgd=sgd)
    assert entities(nlp("Horses are tall")) == [(0, 6, "ANIMAL")]
    assert {text: entities(nlp(text)) for text in before} == before


def test_texts_of_no_word_one_word_and_three_thousand_words(memory):
    nlp, sgd = memory
    assert entities(nlp("")) == []
    assert len(nlp("Lima")) == 1
    long = nlp("Maria moved to Lima . " * 600)
    assert len(long) == 3000
    nlp.update(["", "Lima"], [{"entities": []}, {"entities": [(0, 4, "GPE")]}], sgd=sgd)
    assert np.isfinite(nlp.parameters.weights).all()


def test_an_example_without_entities_annotated_teaches_nothing():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", small_ner())
    sgd = nlp.initialize()
    nlp.get_pipe("ner").add_label("ORG")
    losses = {}
    nlp.update(["Uber grows"], [{"cats": {"news": 1.0}}], sgd=sgd, losses=losses)
    assert losses == {"ner": 0.0}


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda nlp: nlp.add_pipe("ner", small_ner()), "already has a component 'ner'"),
        (lambda nlp: nlp.get_pipe("nre"), "did you mean 'ner'"),
        (lambda nlp: nlp.add_pipe("taggre"), "unknown component 'taggre'"),
        (lambda nlp: nlp.add_pipe("ner2", {"type": "ner", "width": 3}), "takes no 'width'"),
        (lambda nlp: nlp.update(["a"], []), "1 texts and 0 annotations"),
        (lambda nlp: nlp.update([3]), "cannot learn from a int"),
        (lambda nlp: nlp(3.5), "a text is a string"),
    ],
)
def test_mistakes_are_named(memory, act, words):
    with pytest.raises(runner.RunnerError, match=words):
        act(memory[0])


def test_only_selected_components_learn():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", small_ner())
    nlp.add_pipe("other", {"type": "ner", **small_ner()})
    sgd = nlp.initialize(lambda: [runner.Example.from_dict(nlp.make_doc(t), a) for t, a in TRAIN_DATA])
    texts, annotations = zip(*TRAIN_DATA, strict=True)
    nlp.update(texts, annotations, sgd=sgd)  # the optimizer has momentum for both
    before = {path: view.copy() for path, view in nlp.parameters.views(nlp.parameters.weights).items()}
    with nlp.select_pipes(enable="ner"):
        assert nlp.pipe_names == ["ner"]
        losses = {}
        nlp.update(texts, annotations, sgd=sgd, losses=losses)
        assert set(losses) == {"ner"}
    assert nlp.pipe_names == ["ner", "other"]
    for path, view in nlp.parameters.views(nlp.parameters.weights).items():
        assert (view == before[path]).all() == path.startswith("other/"), path


def test_a_shared_tok2vec_runs_once_and_learns_from_all():
    def loss_and_gradient(shared, names):
        nlp = runner.Pipeline("en", shared_tok2vec=shared)
        for name in names:
            nlp.add_pipe(name, {"type": "ner", **small_ner()})
        sgd = nlp.initialize(lambda: [runner.Example.from_dict(nlp.make_doc(t), a) for t, a in TRAIN_DATA])
        texts, annotations = zip(*TRAIN_DATA, strict=True)
        history = []
        for _ in range(40):
            losses = {}
            nlp.update(texts, annotations, sgd=sgd, losses=losses)
            history.append(losses["ner"])
        return nlp, history

    nlp, history = loss_and_gradient(True, ["ner", "other"])
    assert {path.split("/")[0] for path in nlp.parameters.layout} == {"tok2vec", "ner", "other"}
    assert history[-1] < 0.5 * history[0]
    apart, _ = loss_and_gradient(False, ["ner", "other"])
    assert len(apart.parameters.weights) > 1.5 * len(nlp.parameters.weights)


def test_a_damaged_model_is_refused(memory, tmp_path):
    nlp, _ = memory
    nlp.to_disk(tmp_path / "model")
    weights = tmp_path / "model" / "weights.msgpack"
    good = weights.read_bytes()
    for damaged in (good[:-7], good[:1000] + b"\xff" + good[1001:], b""):
        weights.write_bytes(damaged)
        with pytest.raises(runner.RunnerError, match=r"weights.msgpack.*damaged"):
            runner.load(tmp_path / "model")
    with pytest.raises(runner.RunnerError, match="there is no such model"):
        runner.load(tmp_path / "nothing")


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    nlp, _ = trained(n_iterations=1)
    nlp.parameters.weights[5] = np.nan
    with pytest.raises(runner.RunFailed, match="not finite"):
        nlp.to_disk(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("tagger", {"tags": ["X", "Y", "X"]}),
        ("parser", {"heads": [1, 1, 1], "deps": ["a", "ROOT", "b"]}),
        ("ner", {"entities": [(0, 1, "LOC")]}),
        ("textcat", {"cats": {"A": 1.0, "B": 0.0}}),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_scores_that_are_not_finite_are_no_prediction(name, annotation):
    nlp = runner.blank("en")
    nlp.add_pipe(name)
    nlp.update(["a b c"], [annotation])
    nlp.parameters.weights[...] = np.nan
    with pytest.raises(runner.RunFailed, match=f"the scores of {name} are not finite"):
        nlp("a b c")


def two_components(names, **settings):
    """Trained for a few steps on texts with tags and entities; → the weights by path."""
    nlp = runner.blank("en")
    for name in names:
        nlp.add_pipe(name, {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1}, **settings.get(name, {})})
    annotations = [{"tags": ["X", "Y"], "entities": [(0, 1, "LOC")]}, {"tags": ["Y", "X"], "entities": []}]
    examples = [
        runner.Example.from_dict(runner.Doc(words), annotation)
        for words, annotation in zip((["a", "b"], ["b", "c"]), annotations, strict=True)
    ]
    sgd = nlp.initialize(lambda: examples, sgd=runner.adam(grad_clip=0.1))
    for _ in range(5):
        nlp.update(examples, drop=0.4, sgd=sgd)
    return nlp.parameters.views(nlp.parameters.weights.copy())


def test_a_component_learns_the_same_alone_and_beside_another():
    alone, together = two_components(["ner"]), two_components(["tagger", "ner"])
    assert len(together) > len(alone) > 5
    for path, value in alone.items():
        np.testing.assert_array_equal(value, together[path], err_msg=path)


def test_a_component_may_have_a_dropout_of_its_own():
    plain = two_components(["tagger", "ner"])
    same = two_components(["tagger", "ner"], ner={"dropout": 0.4})
    other = two_components(
        ["tagger", "ner"], ner={"dropout": {"type": "decaying", "start": 0.6, "stop": 0.2, "decay": 0.1}}
    )
    for path in plain:
        np.testing.assert_array_equal(plain[path], same[path], err_msg=path)
        assert (plain[path] == other[path]).all() == (not path.startswith("ner/") or not plain[path].any()), path


def test_a_layer_without_gold_has_no_score_and_the_final_score_is_of_the_others():
    nlp = Pipeline("en", seed=1)
    nlp.add_pipe("tagger")
    nlp.add_pipe("ner")
    tagged = [Example.from_doc(Doc(["Ada", "sleeps"], tags=["NNP", "VBZ"])) for _ in range(2)]
    nlp.initialize(lambda: [*tagged, Example.from_doc(Doc(["Ada"], ents=[(0, 1, "PER")]))])
    found = nlp.evaluate(tagged)
    assert found["tag_acc"] is not None
    assert (found["ents_p"], found["ents_r"], found["ents_f"]) == (None, None, None)
    assert final_score(found, {"tag_acc": 0.5, "ents_f": 0.5}) == found["tag_acc"]
    assert final_score(found, {"ents_f": 1.0}) is None
    with pytest.raises(RunnerError, match="no component gives the score 'dep_las'"):
        final_score(found, {"dep_las": 1.0})


def test_pipe_carries_contexts_beside_the_texts(memory):
    nlp, _ = memory
    pairs = [(text, {"id": i}) for i, (text, _) in enumerate(TRAIN_DATA)]
    given = iter(pairs)
    answers = nlp.pipe(given, batch_size=4, as_tuples=True)
    first, context = next(answers)
    assert (first.text, context) == pairs[0]
    assert len(list(given)) == len(pairs) - 4  # a stream, of which a batch is held
    rest = list(nlp.pipe(pairs, batch_size=4, as_tuples=True))
    assert [context for _, context in rest] == [context for _, context in pairs]
    texts = [text for text, _ in pairs]
    assert [entities(doc) for doc, _ in rest] == [entities(doc) for doc in nlp.pipe(texts)]
    with pytest.raises(RunnerError, match=r"\(text, context\) pairs, and was given a str\n  Give pairs"):
        list(nlp.pipe(["Peru"], as_tuples=True))
