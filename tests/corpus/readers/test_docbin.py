"""spaCy 3's DocBin: what a Doc becomes, that nothing in it runs, and what a damaged file is called."""

import builtins
import gzip
import pickle
import zlib

import pytest
import srsly

from runner.corpus.readers.auto import auto
from runner.corpus.readers.docbin import docbin
from runner.corpus.readers.reader import LeftOut
from runner.errors import RunnerError


@pytest.fixture(scope="module")
def nlp():
    return pytest.importorskip("spacy").blank("en")


def write(path, docs, **options):
    from spacy.tokens import DocBin

    DocBin(docs=docs, **options).to_disk(path)
    return path


def full(nlp):
    from spacy.tokens import Doc

    doc = Doc(
        nlp.vocab, words=["Ada", "slept", ".", "Bo", "ran"], spaces=[True, False, True, True, False],
        tags=["NNP", "VBD", ".", "NNP", "VBD"], pos=["PROPN", "VERB", "PUNCT", "PROPN", "VERB"],
        heads=[1, 1, 1, 4, 4], deps=["nsubj", "ROOT", "punct", "nsubj", "ROOT"],
        lemmas=["Ada", "sleep", ".", "Bo", ""], morphs=["Number=Sing", "Tense=Past", "", "", ""],
        ents=["B-PER", "O", "", "B-ORG", "I-ORG"],
    )  # fmt: skip
    doc.cats = {"A": 1.0, "B": 0.25}
    return doc


def test_a_doc_in_full(nlp, tmp_path):
    from spacy.tokens import Span

    doc = full(nlp)
    doc.user_data["x"] = 1
    doc.spans["sc"] = [Span(doc, 0, 2, "S")]
    left_out = LeftOut()
    path = write(tmp_path / "a.spacy", [doc, nlp("Only  words")], store_user_data=True)
    got, plain = docbin()(path, None, left_out)
    assert got.words == ["Ada", "slept", ".", "Bo", "ran"]
    assert got.text == doc.text
    assert got.tags == ["NNP", "VBD", ".", "NNP", "VBD"]
    assert got.pos == ["PROPN", "VERB", "PUNCT", "PROPN", "VERB"]
    assert got.heads == [1, 1, 1, 4, 4]
    assert got.deps == ["nsubj", "root", "punct", "nsubj", "root"]
    assert got.sent_starts == [True, False, False, True, False]
    assert got.meta == {
        "lemmas": ["Ada", "sleep", ".", "Bo", None], "feats": ["Number=Sing", "Tense=Past", None, None, None],
    }  # fmt: skip
    assert [ent.as_tuple() for ent in got.ents] == [(0, 1, "PER"), (3, 5, "ORG")]
    assert got.unknown_ents == [(2, 3)]
    assert got.cats == {"A": 1.0, "B": 0.25}
    assert (plain.words, plain.text) == (["Only", " ", "words"], "Only  words")
    assert (plain.tags, plain.heads, plain.deps, plain.has_ents, plain.cats) == (None, None, None, False, None)
    assert left_out == {"docs' span groups": 1, "docs' user data": 1}
    assert got.source.endswith("a.spacy: doc 0")


def test_auto_knows_it_by_name_and_by_content_packed_too(nlp, tmp_path):
    path = write(tmp_path / "a.spacy", [full(nlp)])
    (tmp_path / "b.spacy.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "c").write_bytes(path.read_bytes())
    for name in ("a.spacy", "b.spacy.gz", "c"):
        (doc,) = auto()(tmp_path / name)
        assert len(doc) == 5


def test_nothing_in_it_runs(nlp, tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("it ran",)

    message = srsly.msgpack_loads(zlib.decompress(write(tmp_path / "a.spacy", [full(nlp)]).read_bytes()))
    message["cats"] = [{b"nd": True, b"kind": b"O", b"type": b"O", b"shape": [1], b"data": pickle.dumps(Bomb())}]
    message["user_data"] = [pickle.dumps(Bomb())]
    path = tmp_path / "b.spacy"
    path.write_bytes(zlib.compress(srsly.msgpack_dumps(message)))
    with pytest.raises(RunnerError, match=r"b\.spacy"):
        list(docbin()(path))


@pytest.mark.parametrize(
    ("key", "value", "fact"),
    [
        ("tokens", b"\0" * 8, "it names 5 tokens and holds 5 spaces and 1 values"),
        ("lengths", b"\0" * 3, "no whole number of items"),
        ("lengths", b"\xff" * 4, "no whole number of items"),
        ("strings", [3], "a string is none"),
        ("strings", [], "doc 0: the string of a token's ORTH is not in the file"),
        ("attrs", [65, 99999], "not spaCy's"),
        ("attrs", None, "no 'attrs'"),
        ("cats", [], "'cats' has not one value a doc"),
        ("cats", ["x"], "doc 0: 'cats' is of another kind"),
        ("cats", [{"A": 7}], r"doc 0: cats\['A'\] is 7"),
    ],
)
def test_damage_names_file_and_fact(nlp, tmp_path, key, value, fact):
    path = write(tmp_path / "a.spacy", [full(nlp)])
    message = srsly.msgpack_loads(zlib.decompress(path.read_bytes()))
    path.write_bytes(zlib.compress(srsly.msgpack_dumps({**message, key: value})))
    with pytest.raises(RunnerError, match=fact) as caught:
        list(docbin()(path))
    assert str(caught.value).startswith(str(path))


def test_no_docbin_at_all(nlp, tmp_path):
    path = tmp_path / "a.spacy"
    for content in (b"", b"hello", zlib.compress(b"\x93\x01\x02\x03"), zlib.compress(b"")):
        path.write_bytes(content)
        with pytest.raises(RunnerError, match=r"no \.spacy file, or a damaged one"):
            list(docbin()(path))
    write(path, [])
    with pytest.raises(RunnerError, match=r"no examples|whole number"):
        list(docbin()(path))


def test_without_spacy_it_says_what_to_install(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_spacy(name, *args, **kwargs):
        if name.split(".")[0] == "spacy":
            raise ImportError("No module named 'spacy'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_spacy)
    (tmp_path / "a.spacy").write_bytes(b"x")
    with pytest.raises(RunnerError, match="needs spaCy, which cannot be imported") as caught:
        list(docbin()(tmp_path / "a.spacy"))
    assert "declarative-runner[spacy]" in str(caught.value)
