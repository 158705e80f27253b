"""Packed docs: every layer comes back, never annotated or annotated and empty, and totals agree with a plain count."""

import json
import random
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.corpus.annotations import UNALIGNED
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.packed import arrays as arrays_module
from runner.corpus.packed import writer as packer_module
from runner.corpus.packed.arrays import Arrays, ArrayWriter, DamagedArrays
from runner.corpus.packed.docs import PackedDocs
from runner.corpus.packed.examples import PackedExamples, n_words
from runner.corpus.packed.writer import Packer
from runner.errors import RunnerError

LAYERS = (
    "words", "spaces", "offsets", "text", "tags", "pos", "deps", "heads", "sent_starts", "has_ents", "unknown_ents",
    "cats", "meta", "source",
)  # fmt: skip

strings = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=4)  # lone surrogates too
labels = st.sampled_from(["", "A", "B-A", "ä", "\udc80", "C|D=E"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def docs(draw):
    n = draw(st.integers(0, 5))

    def layer(values):
        return draw(st.none() | st.lists(values, min_size=n, max_size=n))

    cuts = draw(st.lists(st.integers(0, n), max_size=6, unique=True).map(sorted))
    spans = [(start, end, draw(labels)) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    meta = draw(st.dictionaries(strings, plain, max_size=2))
    for key in draw(st.lists(st.sampled_from(["lemmas", "feats"]), unique=True)):
        meta[key] = draw(st.lists(st.none() | labels, min_size=n, max_size=n))
    words = draw(st.lists(strings, min_size=n, max_size=n))
    gaps = draw(st.none() | st.lists(st.sampled_from(["", " ", "  ", "\n", "\u3000"]), min_size=n + 1, max_size=n + 1))
    return Doc(
        words,
        draw(st.lists(st.booleans(), min_size=n, max_size=n)),
        text=gaps[0] + "".join(map(str.__add__, words, gaps[1:])) if gaps is not None else None,
        ents=draw(st.sampled_from([None, (), spans])),
        unknown_ents=[span[:2] for span in spans] if draw(st.booleans()) else (),
        tags=layer(st.none() | labels),
        pos=layer(st.none() | labels),
        deps=layer(st.none() | labels),
        heads=layer(st.none() | st.integers(0, n - 1)) if n else draw(st.sampled_from([None, []])),
        sent_starts=layer(st.none() | st.booleans()),
        cats=draw(st.none() | st.dictionaries(labels, st.floats(0, 1), max_size=3)),
        meta=meta,
        source=draw(st.sampled_from([None, "f:1", "f:0", "f:007", "f:12:3", "f/in/it", "ff:1", "g:1", "f", ""])),
    )


def pack(path, docs, predicted=None, n_first=None):
    """The docs, of two files where `n_first` says how many are the first one's."""
    with ArrayWriter(path.parent) as writer:
        packer = Packer(writer)
        packer.open(Path("f"))
        for i, doc in enumerate(docs):
            if i == n_first:
                packer.open(Path("g"))
            packer.add(doc, predicted[i] if predicted is not None else None)
        packer.finish(path, {})
    return PackedDocs(Arrays(path), ["f"] if n_first is None else ["f", "g"])


def check(ours, theirs):
    for layer in LAYERS:
        assert getattr(ours, layer) == getattr(theirs, layer), layer
    assert [ent.as_tuple() for ent in ours.ents] == [ent.as_tuple() for ent in theirs.ents]
    assert all(ent.doc is ours for ent in ours.ents)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.lists(docs(), max_size=5))
def test_every_layer_comes_back(tmp_path, given):
    packed = PackedExamples(pack(tmp_path / "a", given))
    assert len(packed) == len(given)
    for example, doc in zip(packed, given, strict=True):
        check(example.reference, doc)
        plain = Example.from_doc(doc)
        check(example.predicted, plain.predicted)
        assert example.is_identical
        assert example.aligned_tags() == plain.aligned_tags()
        assert example.biluo() == plain.biluo()
    assert n_words(packed).tolist() == n_words([Example.from_doc(doc) for doc in given]).tolist()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.lists(docs(), max_size=6), data=st.data())
def test_totals_of_a_part_are_those_of_a_plain_count(tmp_path, given, data):
    start = data.draw(st.integers(0, len(given)))
    end = data.draw(st.integers(start, len(given)))
    whole = PackedExamples(pack(tmp_path / "a", given))
    for part, chosen in (
        (whole[start:end], given[start:end]),
        (whole.without(start, end), given[:start] + given[end:]),
        (whole[::2], given[::2]),
    ):
        words, times = part.word_counts()
        counts = Counter(word for doc in chosen for word in doc.words)  # in order of first appearance
        assert list(zip(words, times, strict=True)) == list(counts.items())
        shown = [example.reference for example in part.covering()]
        for values in (_strings("tags"), _strings("pos"), _strings("deps"), _labels, _categories):
            assert {v for doc in shown for v in values(doc)} == {v for doc in chosen for v in values(doc)}
        assert part.per_file() == [(len(chosen), sum(map(len, chosen)))]


def _strings(layer):
    return lambda doc: [value for value in getattr(doc, layer) or () if value is not None]


def _labels(doc):
    return [ent.label for ent in doc.ents]


def _categories(doc):
    return doc.cats or ()


def test_few_docs_show_all_labels(tmp_path):
    given = [Doc(["a"], tags=["X"]) for _ in range(100)] + [Doc(["b", "c"], tags=["X", "Y"])]
    shown = PackedExamples(pack(tmp_path / "a", given)).covering()
    assert shown.numbers.tolist() == [0, 100]


def test_files_are_named_as_they_are_called_now(tmp_path):
    given = [Doc(["a"], source="f:3"), Doc(["b", "c"], source="g:1"), Doc(["d"], source="g/inside")]
    pack(tmp_path / "a", given, n_first=1)
    packed = PackedDocs(Arrays(tmp_path / "a"), ["moved/f", "h"])
    assert [packed.reference(i).source for i in range(3)] == ["moved/f:3", "h:1", "h/inside"]
    assert PackedExamples(packed).per_file() == [(1, 1), (2, 3)]
    assert PackedExamples(packed, np.array([2])).per_file() == [(0, 0), (1, 1)]


def test_the_tokenizers_words_beside_the_gold_ones(tmp_path):
    doc = Doc(["don't", "go"], tags=["V", "W"], ents=[(0, 1, "E")], meta={"id": [1]}, source="f:1")
    words = Doc(["do", "n't", "go"], [False, True, False], meta=doc.meta, source=doc.source)
    (example,) = PackedExamples(pack(tmp_path / "a", [doc], [words]))
    check(example.predicted, words)
    check(example.reference, doc)
    assert example.aligned_tags() == [None, None, "W"]
    assert example.aligned_ents() == [(0, 2, "E")]
    assert PackedExamples(pack(tmp_path / "a", [doc], [words])).word_counts() == (["do", "n't", "go"], [1, 1, 1])


def test_a_doc_is_its_own_once_it_is_decoded(tmp_path):
    packed = pack(tmp_path / "a", [Doc(["New", "York", "sleeps"], tags=["A", "B", "C"], ents=[(0, 2, "P")])])
    doc = packed.reference(0)
    doc.retokenize([(0, 2)])
    assert (doc.words, doc.tags, doc.text) == (["New York", "sleeps"], ["B", "C"], "New York sleeps")
    assert [ent.as_tuple() for ent in doc.ents] == [(0, 1, "P")]
    check(doc.copy(), doc)
    again = packed.reference(0)
    again.tags[0] = "Z"
    assert again.tags == ["Z", "B", "C"]
    assert packed.reference(0).tags == ["A", "B", "C"]
    with pytest.raises(AttributeError):
        doc.heds  # noqa: B018


def test_unaligned_entities_are_tuples_again(tmp_path):
    doc = Doc(["a"], meta={UNALIGNED: [(0, 1, "E")]})
    assert pack(tmp_path / "a", [doc]).reference(0).meta == doc.meta


def test_meta_past_the_limits_of_columns_is_kept_too(tmp_path, monkeypatch):
    monkeypatch.setattr(packer_module, "MAX_META", 1)
    monkeypatch.setattr(packer_module, "MAX_META_STRINGS", 2)
    given = [Doc(["a", "b"], meta={"x": [f"{i}", None], "y": [f"-{i}", f"+{i}"]}) for i in range(5)]
    packed = pack(tmp_path / "a", given)
    assert [packed.reference(i).meta for i in range(5)] == [doc.meta for doc in given]
    assert len(packed.table("meta")) < 10


@pytest.mark.parametrize(
    "changes", [{"meta": {"x": object()}}, {"tags": [1]}, {"tags": [[]]}, {"cats": {"A": "much"}}, {"sent_starts": [7]}]
)
def test_what_cannot_be_packed_is_an_error_at_its_source(tmp_path, changes):
    with pytest.raises(RunnerError, match=r"^f:1: an annotation cannot be packed") as caught:
        pack(tmp_path / "a", [Doc(["a"], source="f:1", **changes)])
    assert str(caught.value).count("\n") == 1


def rewrite(path, columns, about):
    """A file like ArrayWriter's, of any arrays and words, with checksums that fit."""
    entries, content = {}, bytearray(arrays_module._MAGIC)
    for name, column in columns.items():
        content += bytes(-len(content) % 64)
        data = column.tobytes()
        entries[name] = [column.dtype.str, len(content), len(column), zlib.crc32(data)]
        content += data
    footer = json.dumps({"arrays": entries, "about": about}).encode()
    tail = arrays_module._TAIL.pack(len(footer), zlib.crc32(footer), arrays_module._MAGIC)
    path.write_bytes(bytes(content) + footer + tail)


def forge(path, columns, about, rng):
    """The file with one column or word of it changed."""
    columns, about = dict(columns), json.loads(json.dumps(about))
    name = rng.choice(sorted(columns))
    kind = rng.randrange(5)
    column = columns[name].copy()
    if kind == 0:
        del columns[name]
    elif kind == 1 and len(column):
        column[rng.randrange(len(column))] = rng.choice((0, 1, 2, 7, 200, 2**16, 2**40)) % 256**column.dtype.itemsize
    elif kind == 2:
        column = column[: rng.randrange(len(column) + 1)]
    elif kind == 3:
        column = column.astype(rng.choice(("|u1", "<u2", "<u4", "<u8", "<f8")))
    else:
        place = rng.choice(("files", "meta"))
        about[place] = rng.choice(
            (None, [], {}, [[1, 1]], {"x": 7, "y": 40}, [[2**40, -1], [1, 2]], [["a", 1]], {"lemmas": "7"})
        )
    if kind in (1, 2, 3):
        columns[name] = column
    rewrite(path, columns, about)


def read_everything(path, n_files):
    """Whatever the docs of a file hold. Raises DamagedArrays, or RunnerError."""
    packed = PackedExamples(PackedDocs(Arrays(path), ["f"] * n_files))
    packed.word_counts(), packed.covering(), packed.per_file(), packed.n_words.sum()
    for example in packed:
        for doc in (example.reference, example.predicted):
            for name in LAYERS:
                getattr(doc, name)
            assert all(0 <= ent.start < ent.end <= len(doc) for ent in doc.ents)
            assert all(head is None or 0 <= head < len(doc) for head in doc.heads or ())


def good_columns(path):
    """The columns of a packed file in which every column has something."""
    with ArrayWriter(path.parent) as writer:
        packer = Packer(writer)
        packer.open(Path("f"))
        for i in range(4):
            words = ["Ada", "met", "Lin"][: i or 3]
            n = len(words)
            doc = Doc(
                words, [True] * n, ents=[(0, 1, "PER")], unknown_ents=[(0, 1)], tags=["X"] * n, pos=["Y"] * n, deps=["d"] * n,
                heads=[0] * n, sent_starts=[True] + [None] * (n - 1), cats={"A": 1.0}, meta={"lemmas": ["l"] * n, "id": i},
                source=f"f:{i}",
            )  # fmt: skip
            packer.add(doc, doc.copy_unannotated())
        packer.finish(path, {"format": packer_module.FORMAT, "key": "x", "left_out": {}})
    arrays = Arrays(path)
    return {name: column[:].copy() for name, column in arrays._arrays.items()}, arrays.about


def test_a_file_that_was_made_up_is_damaged_or_gives_docs(tmp_path):
    path = tmp_path / "a.arrays"
    columns, about = good_columns(path)
    read_everything(path, 1)
    rewrite(path, columns, about)
    read_everything(path, 1)
    n_refused = 0
    for number in range(400):
        forge(path, columns, about, random.Random(number))
        try:
            read_everything(path, 1)
        except (DamagedArrays, RunnerError):
            n_refused += 1
    assert 100 < n_refused < 400
    with pytest.raises(DamagedArrays):
        rewrite(path, columns, about)
        PackedDocs(Arrays(path), ["f", "g"])


@pytest.mark.parametrize("footer", [b"[" * 100_000, b"1e999", b'{"arrays": {"a": ["<f8", 1e999, 1, 0]}, "about": {}}'])
def test_a_footer_of_nonsense_is_damaged(tmp_path, footer):
    path = tmp_path / "a.arrays"
    tail = arrays_module._TAIL.pack(len(footer), zlib.crc32(footer), arrays_module._MAGIC)
    path.write_bytes(arrays_module._MAGIC + footer + tail)
    with pytest.raises(DamagedArrays):
        Arrays(path)
