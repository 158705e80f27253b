"""Which components take part: select_pipes as a call, as a block, nested, and around a stream."""

from __future__ import annotations

import pytest

import runner
from tests.components.test_pipeline import TRAIN_DATA, small_ner


@pytest.fixture
def nlp():
    nlp = runner.blank("en")
    for name in ("one", "two", "three"):
        nlp.add_pipe(name, {"type": "ner", **small_ner()})
    nlp.initialize()
    return nlp


def test_a_plain_call_acts_at_once_and_is_restored(nlp):
    off = nlp.select_pipes(disable="two")
    assert nlp.pipe_names == ["one", "three"]
    off.restore()
    assert nlp.pipe_names == ["one", "two", "three"]
    off.restore()
    assert nlp.pipe_names == ["one", "two", "three"]
    with pytest.raises(runner.RunnerError, match="has been restored"):
        off.__enter__()
    off = nlp.select_pipes(enable=["two"])
    assert nlp.pipe_names == ["two"]
    with off:
        assert nlp.pipe_names == ["two"]
    assert nlp.pipe_names == ["one", "two", "three"]


def test_selections_add_up_and_are_undone_in_any_order(nlp):
    with nlp.select_pipes(disable="one"):
        with nlp.select_pipes(disable="two"):
            assert nlp.pipe_names == ["three"]
        with nlp.select_pipes(enable=["one", "two"]):
            assert nlp.pipe_names == ["one", "two"]
        assert nlp.pipe_names == ["two", "three"]
    first, second = nlp.select_pipes(disable=["one", "two"]), nlp.select_pipes(disable="two")
    first.restore()
    assert nlp.pipe_names == ["one", "three"]
    second.restore()
    assert nlp.pipe_names == ["one", "two", "three"]


def test_an_exception_ends_the_block_and_a_wrong_name_selects_nothing(nlp):
    with pytest.raises(ZeroDivisionError), nlp.select_pipes(disable="one"):
        1 / 0  # noqa: B018
    for mistake in ({"disable": ["one", "tow"]}, {}, {"enable": "one", "disable": "two"}, {"disable": [3]}):
        with pytest.raises(runner.RunnerError):
            nlp.select_pipes(**mistake)
    assert nlp.pipe_names == ["one", "two", "three"]


def test_a_plain_call_keeps_components_from_learning_until_it_is_restored(nlp):
    def changed(act):
        before = {path: view.copy() for path, view in nlp.parameters.views(nlp.parameters.weights).items()}
        act()
        after = nlp.parameters.views(nlp.parameters.weights)
        return {path.split("/")[0] for path, view in after.items() if (view != before[path]).any()}

    texts, annotations = zip(*TRAIN_DATA, strict=True)
    sgd = runner.adam()
    nlp.update(texts, annotations, sgd=sgd)
    off = nlp.select_pipes(disable=["one", "three"])
    assert changed(lambda: nlp.update(texts, annotations, sgd=sgd)) == {"two"}
    off.restore()
    assert changed(lambda: nlp.update(texts, annotations, sgd=sgd)) == {"one", "two", "three"}


def test_a_stream_keeps_the_components_that_it_was_started_with():
    nlp = runner.blank("en")
    nlp.add_pipe("ner", small_ner())
    nlp.add_pipe("tagger", {"tok2vec": small_ner()["tok2vec"]})
    nlp.update(["Lima"], [{"entities": [(0, 4, "GPE")], "tags": ["NNP"]}])
    with nlp.select_pipes(disable="tagger"):
        docs = nlp.pipe(["Lima", "Lima"], batch_size=1)
        assert next(docs).tags is None
    assert next(docs).tags is None
    everything = nlp.pipe(["Lima"])
    with nlp.select_pipes(disable="tagger"):
        assert next(everything).tags == ["NNP"]
