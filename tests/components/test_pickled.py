"""A pipeline that is pickled, copied, or sent to a spawned process says the same there."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest

import runner
from runner.components.pipeline import _restored
from runner.components.storage import weights_sha256
from runner.user_code import load_code
from tests.components.test_storage import CODE
from tests.stress.damage import small_model

TEXTS = ["Jane Smith bought two houses in London .", "Zorblax  sold none\n", ""]


@pytest.fixture(scope="module")
def nlp():
    return small_model(("tagger", "ner", "textcat", "parser"))


def said(nlp):
    docs = list(nlp.pipe(TEXTS))
    return [([e.as_tuple() for e in d.ents], d.tags, d.heads, d.deps, d.cats, d.text) for d in docs]


def of_process(nlp):
    return said(nlp), nlp.pipe_names


@pytest.mark.parametrize("copied", [lambda nlp: pickle.loads(pickle.dumps(nlp)), copy.deepcopy, copy.copy])
def test_a_copy_says_the_same_and_learns_by_itself(nlp, copied):
    before, weights = said(nlp), weights_sha256(nlp)
    other = copied(nlp)
    assert said(other) == before
    assert weights_sha256(other) == weights
    other.update(["Jane left"], [{"entities": [(0, 4, "PER")], "tags": ["NNP", "VBD"]}])
    assert weights_sha256(other) != weights
    assert weights_sha256(nlp) == weights
    assert said(nlp) == before


def test_what_no_folder_holds_travels_too(nlp):
    with nlp.select_pipes(disable="tagger"), nlp.select_pipes(disable=["parser"]):
        other = pickle.loads(pickle.dumps(nlp))
    assert other.pipe_names == ["ner", "textcat"]
    blank = runner.blank("de", seed=7)
    blank.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "depth": 1}})
    blank.meta["owner"] = "me"
    other = copy.deepcopy(blank)
    assert (other.lang, other.seed, other.meta) == ("de", 7, {"owner": "me"})
    assert not other.parameters.learned
    for pipeline in (blank, other):  # a new label's weights follow from the seed
        pipeline.update(["Lima"], [{"entities": [(0, 4, "GPE")]}], sgd=runner.adam())
    assert weights_sha256(other) == weights_sha256(blank)


def test_borrowed_averages_are_what_is_copied(nlp):
    averages = {path: np.zeros_like(view) for path, view in nlp.parameters.views(nlp.parameters.weights).items()}
    with nlp.use_params(averages):
        other = copy.deepcopy(nlp)
    assert not other.parameters.weights.any()
    assert nlp.parameters.weights.any()


def test_a_spawned_process_predicts_the_same(nlp):
    with nlp.select_pipes(disable="textcat"), multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(of_process, (nlp,)) == (said(nlp), ["tagger", "ner", "parser"])
        doc = pool.apply(nlp, (TEXTS[0],))
    assert [ent.text for ent in doc.ents] == [ent.text for ent in nlp(TEXTS[0]).ents]
    assert copy.deepcopy(doc)[0].tag_ == doc.tags[0]


def test_a_pickle_holds_bytes_alone_and_they_are_checked(nlp):
    _, (files, state) = nlp.__reduce__()
    assert sorted(files) == ["config.json", "lexemes.msgpack", "meta.json", "weights.msgpack"]
    assert all(type(content) is bytes for content in files.values())
    damaged = bytes([files["weights.msgpack"][0] ^ 1]) + files["weights.msgpack"][1:]
    with pytest.raises(runner.RunnerError, match=r"weights\.msgpack.*damaged"):
        _restored({**files, "weights.msgpack": damaged}, state)


def test_code_goes_along_by_its_place(tmp_path):
    file = tmp_path / "my_pickled_tagger.py"
    file.write_text(CODE.replace("my_tagger", "my_pickled_tagger"), "utf8")
    load_code([str(file)])
    (tmp_path / "nlp.pickle").write_bytes(pickle.dumps(small_model(("my_pickled_tagger",))))
    program = "import pickle; print(pickle.load(open('nlp.pickle', 'rb')).pipe_names)"
    where = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    path = {"PYTHONPATH": str(next(iter(runner.__path__)) + "/..")}
    assert subprocess.run([sys.executable, "-c", program], env=path, **where).stdout == "['my_pickled_tagger']\n"


def test_bytes_become_the_same_pipeline(nlp):
    data = nlp.to_bytes()
    other = runner.blank("de", ops="numpy").from_bytes(data)
    assert said(other) == said(nlp)
    assert (other.lang, other.pipe_names) == (nlp.lang, nlp.pipe_names)
    assert weights_sha256(other) == weights_sha256(nlp)
    kept = runner.blank("en")
    kept.add_pipe("ner")
    assert kept.from_bytes(data) is kept
    assert said(kept) == said(nlp)
    kept.update(["Jane left"], [{"entities": [(0, 4, "PER")], "tags": ["NNP", "VBD"]}])
    assert kept.to_bytes() != data


def test_a_folder_becomes_the_pipeline(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    other = runner.blank("en").from_disk(tmp_path / "model")
    assert said(other) == said(nlp)
    with pytest.raises(runner.RunnerError, match="no model folder"):
        other.from_disk(tmp_path / "none")
    assert said(other) == said(nlp)  # what was refused has changed nothing


def damaged(data: bytes) -> bytes:
    at = data.index(b"weights.msgpack") + 5_000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("spoilt", "fact"),
    [
        (lambda data: data[:-10], r"these [\d,]+ bytes are no pipeline\n  Give what nlp\.to_bytes\(\) returned"),
        (lambda data: b"", "these 0 bytes are no pipeline"),
        (lambda data: pickle.dumps({"a": 1}), "are no pipeline"),
        (lambda data: "text", "the bytes of a pipeline are a str"),
        (damaged, "the bytes/weights.msgpack: the file is damaged: .*\n  Copy the bytes again"),
    ],
)
def test_other_bytes_are_refused(nlp, spoilt, fact):
    with pytest.raises(runner.RunnerError, match=fact):
        runner.blank("en").from_bytes(spoilt(nlp.to_bytes()))


def test_bytes_of_a_component_of_ones_own_need_its_code(tmp_path):
    file = tmp_path / "my_sent_tagger.py"
    file.write_text(CODE.replace("my_tagger", "my_sent_tagger"), "utf8")
    load_code([str(file)])
    data = small_model(("my_sent_tagger",)).to_bytes()
    with pytest.raises(runner.RunnerError, match=r"nlp\.from_bytes\(data, code=\['my_sent_tagger\.py'\]\)"):
        runner.blank("en").from_bytes(data)
    assert runner.blank("en").from_bytes(data, code=[file]).pipe_names == ["my_sent_tagger"]
