"""A trained pipeline inside spaCy: the same predictions, beside spaCy's own components, through files, bytes and processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

spacy = pytest.importorskip("spacy")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from spacy.tokens import Doc as SpacyDoc  # noqa: E402

import runner  # noqa: E402
from runner.corpus.doc import Doc  # noqa: E402
from runner.errors import RunnerError  # noqa: E402
from runner.handover import spacy_pipe, spacy_tokenizer  # noqa: E402, F401  registered, as the entry points would
from runner.handover.spacy_folder import spacy_pipeline, write_spacy  # noqa: E402

TEXTS = (
    "Ada lives in Oslo. Bo works in Lima.", "  Ada  lives\n\nin Oslo .\n Bo\t", "", " \n ", "Ada", "Rome\n\n\nlives",
    "Max works in \u00a0Lima", "Don't! Lin's (Oslo) home...",
)  # fmt: skip


@pytest.fixture(scope="module")
def ours(full_run):
    return runner.load(full_run)


@pytest.fixture(scope="module")
def nlp(full_run, tmp_path_factory):
    """The exported folder, read back."""
    folder = tmp_path_factory.mktemp("spacy") / "model"
    write_spacy(runner.load(full_run), folder)
    return spacy.load(folder)


def layers_of(doc):
    """What spaCy's Doc says of the words that are no white space, in our terms."""
    words = [token for token in doc if not token.is_space]
    number = {token.i: i for i, token in enumerate(words)}
    return {
        "words": [token.text for token in words],
        "tags": [token.tag_ for token in words],
        "heads": [number[token.head.i] for token in words],
        "deps": [token.dep_ for token in words],
        "ents": [(number[ent.start], number[ent.end - 1] + 1, ent.label_) for ent in doc.ents],
        "cats": doc.cats,
    }


def expected(doc):
    return {
        "words": doc.words,
        "tags": doc.tags or [],
        "heads": doc.heads or [],
        "deps": ["ROOT" if dep == "root" else dep for dep in doc.deps or []],
        "ents": [ent.as_tuple() for ent in doc.ents],
        "cats": doc.cats,
    }


@pytest.mark.parametrize("text", TEXTS)
def test_predictions_are_ours_and_the_text_is_the_text(nlp, ours, text):
    doc = nlp(text)
    assert doc.text == text
    assert layers_of(doc) == expected(ours(text))


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("aB.'-!9 \n\t\u00a0\u2003é\u0301"), max_size=20))
def test_any_white_space_is_kept_and_no_word_is_cut_otherwise(nlp, ours, text):
    doc = nlp.make_doc(text)
    assert doc.text == text
    assert [token.text for token in doc if not token.is_space] == ours.make_doc(text).words


def test_white_space_belongs_to_the_word_before_it(nlp):
    doc = nlp("\n Ada lives  in Oslo")
    assert [(token.text, token.whitespace_) for token in doc][:4] == [
        ("\n", " "),
        ("Ada", " "),
        ("lives", " "),
        (" ", ""),
    ]
    spaces = [token for token in doc if token.is_space]
    assert [(token.tag_, token.dep_, token.ent_iob_) for token in spaces] == [("_SP", "dep", "O")] * 2
    assert [token.head.text for token in spaces] == ["Ada", "lives"]


def test_sentences_are_those_of_the_trees(nlp):
    """Three words, the third a sentence of its own."""
    from runner.handover.spacy_docs import annotate

    doc = Doc(["Ada", "slept", "Bo"], heads=[1, 1, 2], deps=["nsubj", "root", "root"])
    target = SpacyDoc(nlp.vocab, words=doc.words)
    annotate(target, doc, frozenset(["heads"]))
    assert [sentence.text for sentence in target.sents] == ["Ada slept", "Bo"]
    assert [sentence.text for sentence in SpacyDoc(nlp.vocab).from_bytes(target.to_bytes()).sents] == [
        "Ada slept",
        "Bo",
    ]


def test_a_tree_inside_another_is_a_sentence_of_its_own_there(nlp):
    """One sentence here (model/trees.py); spaCy begins a sentence at each root's first word, whatever it is told."""
    from runner.handover.spacy_docs import annotate

    doc = Doc(["Ada", "slept", "(", "Bo", ")"], heads=[1, 1, 3, 3, 1], deps=["nsubj", "root", "punct", "root", "punct"])
    target = SpacyDoc(nlp.vocab, words=doc.words)
    annotate(target, doc, frozenset(["heads"]))
    assert [sentence.text for sentence in target.sents] == ["Ada slept", "( Bo )"]


def test_spacys_evaluation_scores_our_layers(nlp, ours):
    """Gold: two entities of which the prediction has one, five tags, all right but one."""
    from spacy.training import Example as SpacyExample

    text = "Ada lives in Oslo."
    right = ours(text)
    assert [ent.as_tuple() for ent in right.ents] == [(0, 1, "PER"), (3, 4, "LOC")]
    gold = {"words": right.words, "spaces": right.spaces, "tags": [*right.tags[:4], "X"], "cats": {"HOME": 1.0}}
    gold["entities"] = ["U-PER", "U-LOC", "O", "O", "O"]
    gold["heads"], gold["deps"] = right.heads, ["ROOT" if dep == "root" else dep for dep in right.deps]
    scores = nlp.evaluate([SpacyExample.from_dict(nlp.make_doc(text), gold)])
    assert [scores["tag_acc"], scores["ents_p"], scores["ents_r"]] == pytest.approx([0.8, 0.5, 0.5])
    assert (scores["dep_uas"], scores["dep_las"], scores["sents_f"]) == (1.0, 1.0, 1.0)
    assert "cats_score" in scores


def test_entities_and_trees_across_white_space(nlp):
    from runner.handover.spacy_docs import annotate, from_spacy

    target = SpacyDoc(nlp.vocab, words=["\n", "New", " ", "York", "\n"], spaces=[False] * 5)
    doc = from_spacy(target)
    assert doc.words == ["New", "York"]
    doc.set_ents([(0, 2, "LOC")])
    doc.heads, doc.deps, doc.pos = [1, 1], ["compound", "root"], ["PROPN", "PROPN"]
    annotate(target, doc, frozenset(["ents", "heads", "pos"]))
    assert [(ent.start, ent.end, ent.label_) for ent in target.ents] == [(1, 4, "LOC")]
    assert [token.head.i for token in target] == [1, 3, 1, 3, 3]
    assert [token.pos_ for token in target] == ["SPACE", "PROPN", "SPACE", "PROPN", "SPACE"]


@pytest.mark.parametrize(
    ("enabled", "written"),
    [("tagger", {"tags"}), ("parser", {"heads", "deps"}), ("ner", {"ents"}), ("textcat", {"cats"})],
)
def test_a_component_writes_its_own_layers_alone(full_run, ours, enabled, written):
    nlp = spacy.blank("en")
    nlp.add_pipe("runner", config={"model": str(full_run), "enable": [enabled]})
    doc = nlp("Ada lives in Oslo.")
    empty = {"tags": [""] * 5, "heads": [0, 1, 2, 3, 4], "deps": [""] * 5, "ents": [], "cats": {}}
    right = expected(ours("Ada lives in Oslo."))
    assert layers_of(doc) == {**right, **{key: empty[key] for key in empty.keys() - written}}


def test_beside_spacys_own_recognizer(full_run, ours):
    """Our tags and spaCy's entities in one pipeline; ours does not remove what the other wrote."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    nlp.add_pipe("ner").add_label("GPE")
    nlp.initialize()
    ruler.add_patterns([{"label": "FOOD", "pattern": "Oslo"}])
    nlp.add_pipe("runner", config={"model": str(full_run), "enable": ["tagger"]})
    doc = nlp("Ada lives in Oslo.")
    assert ("Oslo", "FOOD") in [(ent.text, ent.label_) for ent in doc.ents]
    assert [token.tag_ for token in doc] == ours("Ada lives in Oslo.").tags


def test_spacys_tokens_are_taken_as_they_are(full_run, ours):
    nlp = spacy.blank("en")
    nlp.add_pipe("runner", config={"model": str(full_run), "enable": ["tagger"]})
    text = "Ada's e-mail: ada@oslo.no :-)"
    doc = nlp(text)
    assert [token.text for token in doc] == [token.text for token in nlp.make_doc(text)]
    assert [token.tag_ for token in doc] == ours(Doc([token.text for token in doc])).tags


def test_through_bytes_and_files_with_other_components(nlp, tmp_path, full_run):
    mixed = spacy.blank("en")
    mixed.add_pipe("runner", config={"model": str(full_run), "enable": ["ner"]})
    mixed.add_pipe("runner", name="tags", source=nlp)
    mixed.to_disk(tmp_path / "mixed")
    again = spacy.load(tmp_path / "mixed")
    blank = spacy.blank("en")
    for name in ("runner", "tags"):
        blank.add_pipe("runner", name=name)
    blank.from_bytes(mixed.to_bytes())
    for text in TEXTS:
        assert layers_of(mixed(text)) == layers_of(again(text)) == layers_of(blank(text))


@pytest.mark.slow
def test_two_processes_give_what_one_gives(nlp):
    texts = [*TEXTS] * 4
    one, two = (list(nlp.pipe(texts, n_process=n, batch_size=3)) for n in (1, 2))
    assert [doc.to_bytes() for doc in one] == [doc.to_bytes() for doc in two]
    assert [list(map(str, doc.sents)) for doc in one] == [list(map(str, doc.sents)) for doc in two]


def test_confidence_is_ours_where_it_is_asked_for(full_run, ours):
    nlp = spacy.blank(
        "en", config={"nlp": {"tokenizer": {"@tokenizers": "runner.Tokenizer.v1", "block": {"type": "syntok"}}}}
    )
    nlp.add_pipe("runner", config={"model": str(full_run), "confidence": True})
    doc, right = nlp("Ada lives in Oslo."), ours("Ada lives in Oslo.")
    kept = doc.user_data["runner_confidence"]
    assert kept["ents"] == [ent.confidence for ent in right.ents]
    assert kept["tags"] == list(right.confidence["tags"])
    assert kept["cats"] == right.confidence["cats"]
    assert "runner_confidence" not in spacy_pipeline(ours)("Ada").user_data


ENTRY_POINTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf8"))["project"][
    "entry-points"
]
FRESH = """
import spacy, sys
assert not any(name.startswith("runner") for name in sys.modules)
doc = spacy.load("model")("Ada lives in Oslo.")
print([token.tag_ for token in doc], doc.ents)
"""


@pytest.mark.slow
def test_spacy_finds_the_factory_by_itself(full_run, tmp_path, ours):
    """In a new process that imports spaCy alone, where this project is installed with its entry points of today."""
    write_spacy(runner.load(full_run), tmp_path / "model")
    info = tmp_path / "site" / "installed-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n", "utf8")
    groups = (
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in ENTRY_POINTS.items()
    )
    (info / "entry_points.txt").write_text("".join(groups), "utf8")
    env = {**os.environ, "PYTHONPATH": f"{info.parent}:{Path(runner.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    right = ours("Ada lives in Oslo.")
    assert done.stdout == f"{right.tags} ({', '.join(ent.text for ent in right.ents)})\n"


def test_the_folder_holds_no_code(full_run, tmp_path):
    write_spacy(runner.load(full_run), tmp_path / "model")
    suffixes = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert suffixes <= {".cfg", ".json", ".bin", ".msgpack", ""}


def test_a_model_that_is_not_there_is_told_at_once_and_at_the_first_text():
    nlp = spacy.blank("en")
    with pytest.warns(UserWarning, match="no-such-model: there is no such model.*'names' needs it"):
        nlp.add_pipe("runner", name="names", config={"model": "no-such-model"})
    with pytest.raises(RunnerError, match="there is no such model"):
        nlp("Ada")
    nlp = spacy.blank("en")
    nlp.add_pipe("runner")
    with pytest.raises(RunnerError, match="the component has no model"):
        nlp("Ada")


def test_a_folder_of_spacy_brings_its_model_where_the_first_one_is_gone(full_run, tmp_path):
    shutil.copytree(full_run, tmp_path / "mine")
    nlp = spacy.blank("en")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        nlp.add_pipe("runner", config={"model": str(tmp_path / "mine")})
    nlp.to_disk(tmp_path / "folder")
    shutil.rmtree(tmp_path / "mine")
    with pytest.warns(UserWarning, match="unless spaCy's folder brings a model"):
        again = spacy.load(tmp_path / "folder")
    assert layers_of(again(TEXTS[0])) == layers_of(nlp(TEXTS[0]))


def test_a_damaged_folder_is_told(full_run, tmp_path):
    write_spacy(runner.load(full_run), tmp_path / "model")
    with (tmp_path / "model" / "runner" / "weights.msgpack").open("r+b") as file:
        file.seek(500)
        file.write(b"????")
    with pytest.raises(RunnerError, match="the file is damaged"):
        spacy.load(tmp_path / "model")


def test_a_component_that_merges_tokens_is_refused(full_run):
    ours = runner.load(full_run)
    ours.add_pipe("merge")
    with pytest.raises(RunnerError, match="merges tokens"):
        spacy_pipeline(ours)


def data(name):
    folder = os.environ.get("RUNNER_DATA_MIRROR")
    if not folder or not Path(folder, name).is_file():
        pytest.skip("RUNNER_DATA_MIRROR names no folder with the corpora")
    return Path(folder, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "reader"),
    [("ud_english_ewt/en_ewt-ud-dev.conllu", "conllu"), ("wnut17/emerging.dev.conll", "iob")],
)
def test_on_a_dev_set_predictions_are_ours_with_gold_words_and_raw_text(nlp, ours, file, reader):
    from runner.blocks import resolve

    docs = list(resolve({"type": reader}, "readers", "reader")(data(file)))[:400]
    targets = list(nlp.pipe(SpacyDoc(nlp.vocab, words=doc.words, spaces=doc.spaces) for doc in docs))
    ours_on_words = list(ours.pipe(doc.copy_unannotated() for doc in docs))
    for target, doc in zip(targets, ours_on_words, strict=True):
        assert layers_of(target) == expected(doc)
    texts = [doc.text for doc in docs]
    for target, doc in zip(nlp.pipe(texts), ours.pipe(texts), strict=True):
        assert target.text == doc.text
        assert layers_of(target) == expected(doc)
