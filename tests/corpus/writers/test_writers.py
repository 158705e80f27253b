"""Writers: what comes back when it is read again, and the account of what does not."""

from collections import Counter

import pytest

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.readers.conllu import conllu as read_conllu
from runner.corpus.readers.iob import iob as read_iob
from runner.corpus.readers.jsonl import jsonl as read_jsonl
from runner.corpus.writers.conllu import conllu
from runner.corpus.writers.iob import iob
from runner.corpus.writers.jsonl import jsonl
from runner.errors import RunnerError


def everything(doc):
    ents = [ent.as_tuple() for ent in doc.ents] if doc.has_ents else None
    layers = doc.tags, doc.pos, doc.heads, doc.deps, doc.sent_starts
    return doc.words, doc.spaces, ents, doc.unknown_ents, *layers, doc.cats, doc.meta


def text_of(writer, *docs):
    left_out = Counter()
    return "".join(writer()(docs, left_out)), dict(left_out)


def again(tmp_path, reader, text):
    path = tmp_path / "a"
    path.write_bytes(text.encode("utf-8"))
    return list(reader(path))


FULL = Doc(
    ["Ada", "slept", ".", "Bo", "ran"], [True, False, True, True, False], ents=[(0, 1, "PER"), (3, 5, "ORG")],
    tags=["NNP", "VBD", ".", None, "VBD"], pos=["PROPN", "VERB", None, "PROPN", "VERB"], heads=[1, 1, None, 4, 4],
    deps=["nsubj", "root", None, "nsubj", "root"], sent_starts=[True, False, False, True, False], cats={"A": 1.0, "B": 0.5},
    meta={"lemmas": ["Ada", "sleep", ".", None, "run"], "id": [1, {"x": "é\n\"\u2028"}], "n": 10**20}, source="a.x:7",
)  # fmt: skip


def test_json_lines_hold_everything(tmp_path):
    text, left_out = text_of(jsonl, FULL, Doc(["a"]))
    assert not left_out
    assert text.count("\n") == 2
    assert '"text": "Ada slept. Bo ran", "words": ["Ada", ' in text
    assert '"entities": [[0, 3, "PER"], [11, 17, "ORG"]]' in text
    full, bare = again(tmp_path, read_jsonl(), text)
    assert everything(full) == everything(FULL)
    assert everything(bare) == everything(Doc(["a"]))


@pytest.mark.parametrize(
    "doc",
    [
        Doc(["a", "b"], ents=[], unknown_ents=[(1, 2)]),
        Doc(["a", " ", "\n", "b"], [True, False, False, True], ents=[(1, 3, "X")]),  # white space is a word in spaCy
        Doc(["New York", "\u2028", '"', "\\", "\x00"], ents=[(0, 1, "LOC")]),
        Doc(["a", "b"], [False, False], sent_starts=[None, True], tags=[None, None]),
    ],
)
def test_odd_docs_come_back_from_json_lines(tmp_path, doc):
    (back,) = again(tmp_path, read_jsonl(), text_of(jsonl, doc)[0])
    assert everything(back) == everything(doc)


def test_an_entity_that_fits_no_words_is_counted(tmp_path):
    (doc,) = again(
        tmp_path, read_jsonl(), '{"text": "New Yorkish", "words": ["New", "Yorkish"], "entities": [[0, 8, "LOC"]]}\n'
    )
    assert doc.meta[UNALIGNED]
    text, left_out = text_of(jsonl, doc)
    assert left_out == {"entities that do not start and end with words": 1}
    assert '"entities": ["-", "-"]' in text


def test_meta_that_is_no_json_is_an_error():
    with pytest.raises(RunnerError, match=r"^a\.x:1: the doc's meta is not JSON"):
        text_of(jsonl, Doc(["a"], meta={"x": object()}, source="a.x:1"))


def test_conllu_of_a_doc_from_elsewhere(tmp_path):
    text, left_out = text_of(conllu, FULL)
    assert text == (
        "# newdoc\n# text = Ada slept.\n"
        "1\tAda\tAda\tPROPN\tNNP\t_\t2\tnsubj\t_\t_\n"
        "2\tslept\tsleep\tVERB\tVBD\t_\t0\troot\t_\tSpaceAfter=No\n"
        "3\t.\t.\t_\t.\t_\t_\t_\t_\t_\n"
        "\n"
        "# text = Bo ran\n"
        "1\tBo\t_\tPROPN\t_\t_\t2\tnsubj\t_\t_\n"
        "2\tran\trun\tVERB\tVBD\t_\t0\troot\t_\tSpaceAfter=No\n"
        "\n"
    )
    assert left_out == {
        "entities (CoNLL-U has no place for them)": 2,
        "categories (CoNLL-U has no place for them)": 2,
        "id (CoNLL-U has no place for it)": 1,
        "n (CoNLL-U has no place for it)": 1,
    }
    (doc,) = again(tmp_path, read_conllu(n_sents=9), text)
    assert everything(doc)[:2] == everything(FULL)[:2]
    assert everything(doc)[4:9] == everything(FULL)[4:9]


def test_conllu_counts_heads_elsewhere_and_garbage_in_meta():
    doc = Doc(
        ["a", "b", "c"], heads=[2, 1, 0], sent_starts=[True, False, True],
        meta={
            "lemmas": ["x"], "feats": ["Case", None, None], "misc": [3, None, None], "comments": "hello",
            "multiword": [{"start": 1, "end": 3, "columns": ["1-2", *"abcdefghi"]}], "empty_nodes": [{"before": 9}],
        },
    )  # fmt: skip
    text, left_out = text_of(conllu, doc)
    assert left_out.pop("heads in another sentence (CoNLL-U has no place for them)") == 2
    assert sorted(left_out) == [
        f"{key} (CoNLL-U has no place for it)"
        for key in ("comments", "empty_nodes", "feats", "lemmas", "misc", "multiword")
    ]
    assert text.count("\n\n") == 2


def test_space_after_follows_the_doc():
    doc = Doc(["a", "b", "c"], [False, True, True], meta={"misc": ["X=1", "SpaceAfter=No", "SpaceAfter=No|Y=2"]})
    assert [line.split("\t")[9] for line in text_of(conllu, doc)[0].split("\n") if "\t" in line] == [
        "X=1|SpaceAfter=No", "_", "Y=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("writer", "doc", "fact"),
    [
        (conllu, Doc(["a"], tags=["N N"], source="a:1"), "the value 'N N' cannot be written as XPOS"),
        (conllu, Doc(["a\tb"], source="a:1"), r"the word 'a\\tb' cannot be written as CoNLL-U"),
        (iob, Doc(["a\nb"], source="a:1"), r"the word 'a\\nb' cannot be written as IOB"),
        (iob, Doc(["-DOCSTART-"], source="a:1"), "'-DOCSTART-' cannot be written as IOB"),
        (iob, Doc(["a"], ents=[(0, 1, "X\ty")], source="a:1"), r"'B-X\\ty' cannot be written as IOB"),
        (iob, Doc([" "], source="a:1"), "no word but white space"),
    ],
)
def test_what_cannot_be_written_is_an_error_at_the_source(writer, doc, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        text_of(writer, doc)
    assert str(caught.value).startswith("a:1: ")


def test_iob_with_all_its_columns(tmp_path):
    text = (
        "-DOCSTART-\t-X-\t-X-\tO\n\nU.N.\tNNP\tI-NP\tB-ORG\nEkeus\tNNP\tI-NP\tB-PER\n\n"
        "Baghdad\t_\tI-NP\tB-LOC\n\n-DOCSTART-\t-X-\t-X-\tO\n\nNew York\tNNP\tI-NP\t-\n"
    )
    docs = again(tmp_path, read_iob(), text)
    assert [doc.tags for doc in docs] == [["NNP", "NNP"], None, ["NNP"]]
    assert [doc.meta.get("opens_document") for doc in docs] == [True, None, True]
    assert docs[0].meta["columns"] == [["I-NP", "I-NP"]]
    assert not docs[2].has_ents  # nothing but "-"
    assert text_of(iob, *docs) == (text, {})


def test_iob_counts_what_it_has_no_column_for(tmp_path):
    text, left_out = text_of(iob, FULL, Doc(["x"], ents=[]))
    assert text == (
        "Ada\tNNP\tB-PER\nslept\tVBD\tO\n.\t.\tO\n\nBo\t_\tB-ORG\nran\tVBD\tI-ORG\n\nx\t_\tO\n"
    )  # fmt: skip
    assert left_out == {
        "pos (IOB has no place for them)": 4,
        "heads (IOB has no place for them)": 4,
        "labels (IOB has no place for them)": 4,
        "categories (IOB has no place for them)": 2,
        "lemmas (IOB has no place for it)": 4,
        "id (IOB has no place for it)": 2,
        "n (IOB has no place for it)": 1,
        "words with no space after them (IOB puts one after every word)": 1,
    }
    (doc, _) = again(tmp_path, read_iob(n_sents=2), text)[0], None
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "PER"), (3, 5, "ORG")]


def test_words_of_white_space_leave_a_doc_that_is_still_right():
    doc = Doc(
        ["A", "\n", "slept", " ", "here"], [True, False, True, False, False], heads=[2, 0, 2, 2, 3], tags=list("abcde"),
        ents=[(0, 1, "PER"), (1, 2, "X"), (2, 4, "Y")], sent_starts=[True, True, False, False, False],
    )  # fmt: skip
    text, left_out = text_of(conllu, doc)
    assert text == (
        "# newdoc\n# text = A\n1\tA\t_\t_\ta\t_\t_\t_\t_\t_\n\n"
        "# text = slept here\n1\tslept\t_\t_\tc\t_\t0\t_\t_\t_\n2\there\t_\t_\te\t_\t_\t_\t_\tSpaceAfter=No\n\n"
    )  # fmt: skip
    assert left_out["words of mere white space (CoNLL-U has no place for them)"] == 2
    assert left_out["entities of mere white space"] == 1
    assert left_out["heads in another sentence (CoNLL-U has no place for them)"] == 1
    assert text_of(iob, doc)[0] == "A\ta\tB-PER\n\nslept\tc\tB-Y\nhere\te\tO\n"


def test_a_byte_order_mark_that_is_a_word_survives(tmp_path):
    text, _ = text_of(iob, Doc(["\ufeffa", "b"], ents=[]))
    (doc,) = again(tmp_path, read_iob(), text)
    assert doc.words == ["\ufeffa", "b"]
