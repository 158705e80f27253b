"""What a trained pipeline has learned stays: initialize, resume_training and update, and what they may change."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import runner
from runner.components.storage import weights_sha256
from tests.components.test_pipeline import TRAIN_DATA, entities, small_ner, trained

TOK2VEC = {"tok2vec": small_ner()["tok2vec"]}
TEXTS, ANNOTATIONS = zip(*TRAIN_DATA, strict=True)
TAGS = (["Lima is big"], [{"tags": ["NNP", "VBZ", "JJ"]}])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    nlp, sgd = trained()
    path = tmp_path_factory.mktemp("model") / "model"
    nlp.meta = {"score": 0.9, "epoch": 3, "data_digest": "abc", "owner": "me"}
    with nlp.use_params(sgd.averages):
        nlp.to_disk(path)
    return path


def of(nlp, owner):
    views = nlp.parameters.views(nlp.parameters.weights)
    return {path: view.copy() for path, view in views.items() if path.split("/")[0] == owner}


def same(first, second):
    return first.keys() == second.keys() and all((first[path] == second[path]).all() for path in first)


def n_right(nlp):
    return sum(entities(nlp(text)) == annotation["entities"] for text, annotation in TRAIN_DATA)


def test_an_update_without_an_optimizer_makes_one_and_keeps_what_was_learned(folder):
    nlp, other = runner.load(folder), runner.load(folder)
    frequencies = dict(nlp.lexemes.frequencies)
    nlp.update(TEXTS[:1], ANNOTATIONS[:1])
    other.update(TEXTS[:1], ANNOTATIONS[:1], sgd=other.resume_training())
    assert weights_sha256(nlp) == weights_sha256(other)
    assert nlp.lexemes.frequencies == frequencies
    assert n_right(nlp) == len(TRAIN_DATA)
    momentum = nlp._sgd
    nlp.update(TEXTS[:1], ANNOTATIONS[:1])
    assert nlp._sgd is momentum
    assert momentum.step == 2


def test_resume_training_changes_no_weight(folder):
    nlp = runner.load(folder)
    before = weights_sha256(nlp)
    sgd = nlp.resume_training()
    assert sgd.step == 0
    assert weights_sha256(nlp) == before
    mine = runner.radam()
    assert nlp.resume_training(sgd=mine) is mine
    blank = runner.blank("en")
    blank.add_pipe("ner", small_ner())
    blank.resume_training()
    assert len(blank.parameters.weights)


def test_averages_of_a_loaded_model_begin_at_its_weights(folder):
    nlp = runner.load(folder)
    sgd = nlp.resume_training()
    nlp.update(TEXTS[:1], ANNOTATIONS[:1], sgd=sgd)
    with nlp.use_params(sgd.averages):
        assert n_right(nlp) == len(TRAIN_DATA)
        for path, view in of(nlp, "ner").items():
            np.testing.assert_allclose(view, of(runner.load(folder), "ner")[path], atol=2e-3, err_msg=path)


def test_initialize_keeps_what_was_learned_unless_it_is_to_start_over(folder):
    nlp = runner.load(folder)
    before, frequencies = weights_sha256(nlp), dict(nlp.lexemes.frequencies)
    with pytest.warns(UserWarning, match=r"keeps the weights that ner learned.*start_over=True"):
        nlp.initialize(lambda: list(zip(TEXTS, ANNOTATIONS, strict=True)))
    assert weights_sha256(nlp) == before
    assert nlp.lexemes.frequencies == frequencies
    with pytest.warns(UserWarning, match="sets the weights of ner back"):
        nlp.initialize(lambda: list(zip(TEXTS, ANNOTATIONS, strict=True)), start_over=True)
    fresh = runner.blank("en")
    fresh.add_pipe("ner", small_ner())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh.initialize(lambda: list(zip(TEXTS, ANNOTATIONS, strict=True)))
    assert weights_sha256(nlp) == weights_sha256(fresh)
    assert nlp.lexemes.frequencies == fresh.lexemes.frequencies


def test_initialize_leaves_disabled_components_alone(folder):
    nlp = runner.load(folder)
    nlp.add_pipe("tagger", TOK2VEC)
    ner, frequencies = of(nlp, "ner"), dict(nlp.lexemes.frequencies)
    for start_over in (False, True):
        with nlp.select_pipes(disable="ner"), warnings.catch_warnings():
            warnings.simplefilter("error")
            sgd = nlp.initialize(lambda: list(zip(*TAGS, strict=True)), start_over=start_over)
        assert same(of(nlp, "ner"), ner)
        assert nlp.get_pipe("tagger").labels == ["JJ", "NNP", "VBZ"]
        assert frequencies.items() <= nlp.lexemes.frequencies.items()
    assert n_right(nlp) == len(TRAIN_DATA)
    with nlp.select_pipes(disable="ner"):
        for _ in range(3):
            nlp.update(*TAGS, sgd=sgd)
    assert same(of(nlp, "ner"), ner)
    with nlp.use_params(sgd.averages):  # of what did not move: the weights themselves
        assert same(of(nlp, "ner"), ner)


def test_a_new_component_begins_beside_one_that_goes_on(folder):
    nlp = runner.load(folder)
    sgd = nlp.resume_training()
    nlp.update(TEXTS, ANNOTATIONS, sgd=sgd)
    ner = of(nlp, "ner")
    nlp.add_pipe("tagger", TOK2VEC)
    with pytest.warns(UserWarning, match="keeps the weights that ner learned"):
        assert nlp.initialize(lambda: list(zip(*TAGS, strict=True)), sgd=sgd) is sgd
    assert same(of(nlp, "ner"), ner)
    alone = runner.blank("en")
    alone.add_pipe("tagger", TOK2VEC)
    alone.initialize(lambda: list(zip(*TAGS, strict=True)))
    assert same(of(nlp, "tagger"), of(alone, "tagger"))


def test_weights_that_begin_again_need_a_new_optimizer(folder):
    nlp = runner.load(folder)
    sgd = nlp.resume_training()
    nlp.update(TEXTS, ANNOTATIONS, sgd=sgd)
    before = weights_sha256(nlp)
    with pytest.raises(runner.RunnerError, match="the optimizer has updated ner before"):
        nlp.initialize(sgd=sgd, start_over=True)
    assert weights_sha256(nlp) == before


def test_a_shared_tok2vec_is_kept_for_those_that_have_learned_with_it():
    nlp = runner.Pipeline("en", shared_tok2vec=True)
    nlp.add_pipe("ner", small_ner())
    nlp.add_pipe("tagger", TOK2VEC)
    nlp.update(TEXTS, ANNOTATIONS)
    with nlp.select_pipes(enable="ner"):
        nlp.update(TEXTS, ANNOTATIONS)
    tok2vec, ner = of(nlp, "tok2vec"), of(nlp, "ner")
    with nlp.select_pipes(disable="ner"), pytest.warns(UserWarning, match="weights of tagger back"):
        nlp.initialize(lambda: list(zip(*TAGS, strict=True)), start_over=True)
    assert same(of(nlp, "tok2vec"), tok2vec)
    assert same(of(nlp, "ner"), ner)
    with nlp.select_pipes(disable="ner"):
        with pytest.warns(UserWarning, match=r"the disabled components \(ner\) share"):
            nlp.update(*TAGS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            nlp.update(*TAGS)
    with pytest.warns(UserWarning, match="weights of ner, tagger back"):
        nlp.initialize(start_over=True)
    fresh = runner.Pipeline("en", shared_tok2vec=True)
    fresh.add_pipe("ner", small_ner())
    fresh.initialize()
    assert same(of(nlp, "tok2vec"), of(fresh, "tok2vec"))


def test_a_new_label_in_an_update_grows_the_layer_and_nothing_is_forgotten(folder):
    nlp = runner.load(folder)
    nlp.update(["Horses are tall"], [{"entities": [(0, 6, "ANIMAL")]}])
    assert "ANIMAL" in nlp.get_pipe("ner").labels
    assert n_right(nlp) == len(TRAIN_DATA)


def test_an_update_that_fails_leaves_no_gradient_behind(folder):
    nlp = runner.load(folder)
    nlp.add_pipe("textcat", {"architecture": {"type": "bag_of_ngrams"}})
    with pytest.raises(runner.RunnerError, match="add up to 2"):
        nlp.update(TEXTS[:1], [{**ANNOTATIONS[0], "cats": {"A": 1.0, "B": 1.0}}])
    assert not nlp.parameters.gradient.any()


def test_a_model_that_learned_more_does_not_carry_the_old_score(folder, tmp_path):
    def meta(nlp):
        nlp.to_disk(tmp_path / "again")
        return json.loads((tmp_path / "again" / "meta.json").read_text("utf8"))

    nlp = runner.load(folder)
    about = meta(nlp)
    assert (about["score"], about["epoch"], about["data_digest"], about["owner"]) == (0.9, 3, "abc", "me")
    nlp.resume_training()
    assert meta(nlp)["score"] == 0.9
    nlp.update(TEXTS[:1], ANNOTATIONS[:1])
    assert not {"score", "epoch", "data_digest"} & meta(nlp).keys()
    assert meta(nlp)["owner"] == "me"
    nlp.meta["score"] = 0.8  # measured anew
    assert meta(nlp)["score"] == 0.8
    grown = runner.load(folder)
    grown.get_pipe("ner").add_label("ANIMAL")
    assert "score" not in meta(grown)
    again = runner.load(folder)
    with pytest.warns(UserWarning, match="back"):
        again.initialize(start_over=True)
    assert "score" not in meta(again)
