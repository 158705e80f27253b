"""What a user of spaCy types, and what is told; hasattr, copy and pickle notice nothing."""

from __future__ import annotations

import copy
import doctest
import importlib
import pickle

import pytest

import runner
from runner import spacy_names
from tests.stress.damage import small_model


@pytest.fixture(scope="module")
def nlp():
    return small_model(("tagger", "ner"))


def test_docstrings():
    assert doctest.testmod(spacy_names).failed == 0


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("begin_training", "nlp.initialize"),
        ("create_pipe", "nlp.add_pipe"),
        ("disable_pipes", "nlp.select_pipes"),
        ("move_names", "labels"),
        ("vocab", "Words need no Vocab"),
        ("tokenizer", "nlp.make_doc"),
        ("config", "nlp.describe"),
        ("add_label", "get_pipe"),
        ("max_length", "no limit"),
    ],
)
def test_nlp_tells_the_equivalent(nlp, path, hint):
    assert not hasattr(nlp, path)
    with pytest.raises(runner.RunnerError, match=rf"nlp has no '{path}'\n  .*{hint}"):
        getattr(nlp, path)


def test_components_docs_tokens_spans_and_examples_tell_theirs(nlp):
    doc = nlp("Jane Smith bought two houses in London .")
    example = runner.Example.from_doc(doc)
    for owner, name, hint in (
        (nlp.get_pipe("ner"), "move_names", "component.labels"),
        (nlp.get_pipe("ner"), "begin_training", "nlp.initialize"),
        (doc, "vocab", "Words need no Vocab"),
        (doc, "_", "doc.meta"),
        (doc[0], "tag", "token.tag_"),
        (doc[0], "lower_", "token.text.lower"),
        (doc.ents[0], "subtree", "of span.root"),
        (doc.retokenize(), "split", "not split here"),
        (example, "x", "example.predicted"),
    ):
        assert not hasattr(owner, name)
        with pytest.raises(runner.RunnerError, match=hint):
            getattr(owner, name)
    for owner in (nlp, doc, doc[0], doc.ents[0], example, nlp.get_pipe("ner")):
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            _ = owner.nonsense
    assert pickle.loads(pickle.dumps(doc)).ents[0].text == copy.deepcopy(doc).ents[0].text == doc.ents[0].text
    assert pickle.loads(pickle.dumps(example)).reference.words == copy.copy(example).reference.words == doc.words


@pytest.mark.parametrize("name", ["GoldParse", "Language", "util", "Vocab", "biluo_tags_from_offsets", "prefer_gpu"])
def test_the_package_tells_the_equivalent(name):
    assert not hasattr(runner, name)
    with pytest.raises(runner.RunnerError, match=f"runner has no '{name}'\n"):
        getattr(runner, name)


def test_imports_tell_what_to_write():
    for statement, hint in (
        ("from runner.util import minibatch, compounding", "from runner import minibatch"),
        ("from runner.gold import GoldParse", "There is no GoldParse"),
        ("from runner.training import Example", "from runner import Example"),
        ("from runner.tokens import Doc", "from runner import Doc"),
        ("from runner.lang.en import English", r'runner\.blank\("en"\)'),
        ("from runner import GoldParse", "Give nlp.update a dict"),
        ("import runner.util", "from runner import minibatch"),
    ):
        with pytest.raises(ImportError, match=hint) as caught:
            exec(statement, {})
        assert isinstance(caught.value, runner.RunnerError)
    for name in ("runner.nonsense", "runner.training.nonsense"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    with pytest.raises(ImportError, match="cannot import name 'nonsense'"):
        exec("from runner import nonsense", {})


def test_every_table_names_what_is_not_here(nlp):
    doc = nlp("Jane Smith bought two houses in London .")
    owners = {
        "runner": runner, "nlp": nlp, "component": nlp.get_pipe("ner"), "doc": doc, "token": doc[0],
        "span": doc.ents[0], "retokenizer": doc.retokenize(), "example": runner.Example.from_doc(doc),
        "the optimizer": runner.adam(),
    }  # fmt: skip
    here = {kind: [n for n in names if hasattr(owners[kind], n)] for kind, names in spacy_names._TABLES.items()}
    assert not any(here.values()), here
