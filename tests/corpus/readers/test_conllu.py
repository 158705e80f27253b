"""CoNLL-U: what a Doc and its meta hold, what every fault is called, and that nothing of a file is lost."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.corpus.doc import Doc
from runner.corpus.readers.auto import auto
from runner.corpus.readers.conllu import conllu
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")

STORY = """\
# newdoc id = d1
# text = I don't sleep.
1 I I PRON PRP Case=Nom|Number=Sing 4 nsubj 4:nsubj _
2-3 don't _ _ _ _ _ _ _ _
2 do do AUX VBP _ 4 aux 4:aux _
3 n't not PART RB _ 4 advmod 4:advmod _
4 sleep sleep VERB VB VerbForm=Inf 0 root 0:root SpaceAfter=No|Note=x
5 . . PUNCT . _ 4 punct 4:punct _

# text = Sue ate fish, Bo rice
1 Sue Sue PROPN NNP _ 2 nsubj 2:nsubj _
2 ate eat VERB VBD _ 0 root 0:root _
3 fish fish NOUN NN _ 2 obj 2:obj SpaceAfter=No
4 , , PUNCT , _ 5 punct 5.1:punct _
5 Bo Bo PROPN NNP _ 2 conj 5.1:nsubj _
5.1 ate eat VERB VBD _ _ _ 2:conj CopyOf=2
6 rice rice NOUN NN _ 5 orphan 5.1:obj _

# newdoc
1 _ _ SYM NFP _ 0 root 0:root _
"""


def tabbed(text):
    return "".join(
        (line if line.startswith("#") else line.replace(" ", "\t")) + "\n" for line in text.rstrip("\n").split("\n")
    )


def read(tmp_path, text, **options):
    path = tmp_path / "a.conllu"
    path.write_bytes(text.encode("utf-8"))
    return list(conllu(**options)(path))


def lines_of(doc: Doc) -> list[str]:
    """A doc of one sentence, written as CoNLL-U again."""
    n, none = len(doc), [None] * len(doc)
    heads = [0 if head == i else None if head is None else head + 1 for i, head in enumerate(doc.heads or none)]
    columns = [
        range(1, n + 1), doc.words, doc.meta["lemmas"], doc.pos or none, doc.tags or none, doc.meta["feats"], heads,
        doc.deps or none, doc.meta.get("enhanced", none), doc.meta.get("misc", none),
    ]  # fmt: skip
    rows = [[["_" if cell is None else str(cell) for cell in row]] for row in zip(*columns, strict=True)]
    for node in reversed(doc.meta.get("empty_nodes", [])):
        rows[node["before"] - 1].insert(1, node["columns"])
    for token in doc.meta.get("multiword", []):
        rows[token["start"]].insert(0, token["columns"])
    return [*doc.meta["comments"][0], *("\t".join(row) for some in rows for row in some)]


def test_a_small_file_in_full(tmp_path):
    first, second, third = read(tmp_path, tabbed(STORY))
    assert first.words == ["I", "do", "n't", "sleep", "."]
    assert first.text == "I don't sleep. "  # the space before the next sentence is the file's own
    assert first.pos == ["PRON", "AUX", "PART", "VERB", "PUNCT"]
    assert first.tags == ["PRP", "VBP", "RB", "VB", "."]
    assert first.heads == [3, 3, 3, 3, 3]
    assert first.deps == ["nsubj", "aux", "advmod", "root", "punct"]
    assert not first.has_ents
    assert first.cats is None
    assert first.meta["lemmas"] == ["I", "do", "not", "sleep", "."]
    assert first.meta["feats"] == ["Case=Nom|Number=Sing", None, None, "VerbForm=Inf", None]
    assert first.meta["misc"] == ["_", "_", "_", "SpaceAfter=No|Note=x", "_"]
    assert first.meta["comments"] == [["# newdoc id = d1", "# text = I don't sleep."]]
    assert first.meta["multiword"] == [{"start": 1, "end": 3, "columns": ["2-3", "don't", *["_"] * 8]}]
    assert "empty_nodes" not in first.meta
    assert first.source.endswith("a.conllu:3")

    assert second.text == "Sue ate fish, Bo rice "
    (node,) = second.meta["empty_nodes"]
    assert (node["before"], node["columns"][0], node["columns"][9]) == (5, "5.1", "CopyOf=2")

    assert third.words == third.meta["lemmas"] == ["_"]  # an underscore, and not nothing
    assert third.meta["comments"] == [["# newdoc"]]


def test_sentences_a_doc(tmp_path):
    pair, single = read(tmp_path, tabbed(STORY), n_sents=9)  # `newdoc` ends a doc
    assert pair.text == "I don't sleep. Sue ate fish, Bo rice "
    assert [i for i, is_start in enumerate(pair.sent_starts) if is_start] == [0, 5]
    assert pair.heads == [3, 3, 3, 3, 3, 6, 6, 6, 9, 6, 9]
    assert pair.meta["multiword"][0]["start"] == 1
    assert pair.meta["empty_nodes"][0]["before"] == 10
    assert len(pair.meta["comments"]) == 2
    assert len(single) == 1


def test_words_that_do_not_spell_their_token_stand_apart(tmp_path):
    text = "1-2 du _ _ _ _ _ _ _ SpaceAfter=No\n1 de _ _ _ _ _ _ _ _\n2 le _ _ _ _ _ _ _ _\n3 x _ _ _ _ _ _ _ _\n"
    (doc,) = read(tmp_path, tabbed(text))
    assert doc.text == "de lex "


def test_nothing_annotated_is_none(tmp_path):
    (doc,) = read(tmp_path, tabbed("1 a _ _ _ _ _ _ _ _\n2 b _ _ _ _ _ _ _ _\n"))
    assert (doc.tags, doc.pos, doc.heads, doc.deps) == (None, None, None, None)
    assert doc.meta == {"comments": [[]], "lemmas": [None, None], "feats": [None, None]}
    (doc,) = read(tmp_path, tabbed("1 a _ _ NN _ _ _ _ _\n2 b _ X _ _ 0 root _ _\n"))
    assert (doc.tags, doc.pos, doc.heads, doc.deps) == (["NN", None], [None, "X"], [None, 1], [None, "root"])


def test_odd_but_right(tmp_path):
    text = (
        "\ufeff# first\n\n \t \n# second\n1\t10 000\t10 000\tNUM\tCD\t_\t0\troot\t_\tNote=a b\n"
        "2\t\u2028\t\u0301\tX\tNN\t_\t1\tdep\t_\t_"
    )
    (doc,) = read(tmp_path, text.replace("\n", "\r\n"))
    assert doc.words == ["10 000", "\u2028"]
    assert doc.meta["comments"] == [["# first", "# second"]]
    text = "0.1 e _ _ _ _ _ _ _ _\n0.2 e _ _ _ _ _ _ _ _\n1 a _ _ _ _ _ _ _ _\n1.1 e _ _ _ _ _ _ _ _\n"
    (doc,) = read(tmp_path, tabbed(text))
    assert [node["before"] for node in doc.meta["empty_nodes"]] == [0, 0, 1]


GOOD = "1 a a X NN _ 0 root _ _\n"
FAULTS = [
    ("1 a a X NN _ 0 root _\n", 1, r"9 columns \(expected 10\)"),
    ("hello\n", 1, r"1 column \(expected 10\)"),
    (GOOD + "3 b b X NN _ 1 dep _ _\n", 2, "id '3' where 2 is due"),
    (GOOD + GOOD, 2, "id '1' where 2 is due"),
    ("01 b b X NN _ 1 dep _ _\n", 1, "id '01' where 1 is due"),
    ("\u0661 b b X NN _ 1 dep _ _\n", 1, "where 1 is due"),
    (GOOD + "2  b X NN _ 1 dep _ _\n", 2, "column FORM is empty"),
    (GOOD + "2 b b X  _ 1 dep _ _\n", 2, "column XPOS is empty"),
    (GOOD + "2 b b X NN\u0020 _ 1 dep _ _\n", 2, "column FEATS is empty|11 columns"),
    (GOOD + "2 b b X NN _ 3 dep _ _\n", 2, "head '3' is no word of the sentence, which has 2"),
    (GOOD + "2 b b X NN _ -1 dep _ _\n", 2, "head '-1' is no word"),
    (GOOD + "2 b b X NN _ 1.1 dep _ _\n", 2, "head '1.1' is no word"),
    (GOOD + "\n" + GOOD + "2 b b X NN _ 2 dep _ _\n", 4, "word 2 is its own head"),
    (GOOD + "2 b b X NN Case 1 dep _ _\n", 2, "FEATS 'Case' is no list of features"),
    (GOOD + "2 b b X NN Case=Nom| 1 dep _ _\n", 2, "no list of features"),
    ("1-1 b _ _ _ _ _ _ _ _\n" + GOOD, 1, "multi-word token 1-1 cannot stand before word 1"),
    ("2-3 b _ _ _ _ _ _ _ _\n" + GOOD, 1, "multi-word token 2-3 cannot stand before word 1"),
    ("1-2 b _ _ _ _ _ _ _ _\n" + GOOD, 1, "1-2 ends after the sentence's 1 words"),
    ("1-3 b _ _ _ _ _ _ _ _\n" + GOOD + "2-3 b _ _ _ _ _ _ _ _\n", 3, "2-3 cannot stand before word 2"),
    (GOOD + "2.1 b _ _ _ _ _ _ _ _\n", 2, "empty node 2.1 stands where 1.1 is due"),
    (GOOD + "1.2 b _ _ _ _ _ _ _ _\n", 2, "empty node 1.2 stands where 1.1 is due"),
    ("0.1 b _ _ _ _ _ _ _ _\n", 1, "the sentence has no word"),
    (GOOD + "# text\n", 2, "a comment inside a sentence"),
    (GOOD + "\n# the end\n", 3, "a comment with no sentence after it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "fact"), FAULTS)
def test_faults_name_file_line_and_fact(tmp_path, text, line, fact):
    with pytest.raises(RunnerError, match=fact) as caught:
        read(tmp_path, tabbed(text))
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{tmp_path / 'a.conllu'}:{line}: ")
    assert len(lines) == 2


def test_spaces_where_none_may_be(tmp_path):
    for row in ("1\ta\ta\tX\tNN \t_\t0\troot\t_\t_\n", "1\t  \ta\tX\tNN\t_\t0\troot\t_\t_\n"):
        with pytest.raises(RunnerError, match=r"a\.conllu:1: column (XPOS|FORM) is '"):
            read(tmp_path, row)


def test_nothing_to_read(tmp_path):
    for text in ("", "\n\n"):
        with pytest.raises(RunnerError, match="no examples"):
            read(tmp_path, text)
    with pytest.raises(RunnerError, match="n_sents is 0"):
        conllu(n_sents=0)


@pytest.mark.parametrize("name", ["a.conllu", "a.conll", "a.txt", "a"])
def test_auto_knows_it_by_name_or_by_its_columns(tmp_path, name):
    path = tmp_path / name
    path.write_text("\n" + tabbed(STORY), "utf-8")
    assert [doc.meta["lemmas"][0] for doc in auto()(path)] == ["I", "Sue", "_"]
    path = tmp_path / "hash.txt"
    path.write_text("#tag\tO\nis\tO\n", "utf-8")
    (doc,) = auto()(path)
    assert doc.words == ["#tag", "is"]


CELLS = st.text(
    st.characters(blacklist_characters="\t\n\r\ufeff ", blacklist_categories=("Cs",)), min_size=1, max_size=4
)


@given(st.lists(st.lists(st.tuples(*[CELLS] * 6), min_size=1, max_size=4), min_size=1, max_size=3))
def test_any_file_comes_back_as_it_was(tmp_path_factory, sentences):
    path = tmp_path_factory.getbasetemp() / "any.conllu"
    texts = [
        [
            "\t".join((str(i + 1), form, lemma, upos, xpos, "_", str(i), deprel, "_", misc))
            for i, (form, lemma, upos, xpos, deprel, misc) in enumerate(rows)
        ]
        for rows in sentences
    ]
    path.write_bytes("\n\n".join("\n".join(rows) for rows in texts).encode("utf-8"))
    docs = list(conllu()(path))
    assert [lines_of(doc) for doc in docs] == texts


LINES = st.sampled_from(
    [*tabbed(STORY).split("\n"), "", "#", "1\ta", "x", "1-2\t_" + "\t_" * 8, "1.1\t_" + "\t_" * 8, "1\ta" + "\t_" * 8]
) | st.text(max_size=20)


@given(st.lists(LINES, max_size=8))
def test_hostile_files_end_in_docs_or_in_one_error(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "hostile.conllu"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    fault = ""
    try:
        assert all(len(doc) for doc in conllu(n_sents=2)(path))
    except RunnerError as error:
        fault = str(error)
    assert not fault or (fault.startswith(str(path)) and fault.count("\n") == 1)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    ("part", "n_sents", "n_words", "n_tags", "n_multiword", "n_empty"),
    [("train", 12544, 204577, 49, 2614, 37), ("dev", 2001, 25147, 49, 359, 4), ("test", 2077, 25094, 48, 354, 2)],
)
def test_ewt_comes_back_line_by_line(part, n_sents, n_words, n_tags, n_multiword, n_empty):
    path = Path(MIRROR) / f"ud_english_ewt/en_ewt-ud-{part}.conllu"
    docs = list(conllu()(path))
    assert (len(docs), sum(map(len, docs))) == (n_sents, n_words)
    tags = Counter(tag for doc in docs for tag in doc.tags)
    assert len(tags) == n_tags
    assert None not in tags
    assert sum(len(doc.meta.get("multiword", ())) for doc in docs) == n_multiword
    assert sum(len(doc.meta.get("empty_nodes", ())) for doc in docs) == n_empty
    for doc in docs:
        text = next(line for line in doc.meta["comments"][0] if line.startswith("# text = "))
        assert doc.text.split() == text.removeprefix("# text = ").split()
    written = "".join("\n".join(lines_of(doc)) + "\n\n" for doc in docs)
    assert written == path.read_text("utf-8")


@needs_data
def test_speed():
    path = Path(MIRROR) / "ud_english_ewt/en_ewt-ud-dev.conllu"
    seconds = []
    for _ in range(3):
        started = time.process_time()
        n_words = sum(map(len, conllu()(path)))
        seconds.append(time.process_time() - started)
    assert n_words / min(seconds) > 50_000  # 100,000 and more where no one else uses the core
