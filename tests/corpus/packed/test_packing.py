"""When data is packed, and that it makes no difference; found again, damaged, or packed by two runs at once."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from runner.corpus import digests
from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.digests import sha256_of
from runner.corpus.locate import SAMPLE
from runner.corpus.packed.examples import PackedExamples
from runner.corpus.packed.packing import Packing, read_or_pack
from runner.corpus.readers.auto import auto
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.readers.prodigy import prodigy
from runner.corpus.tokenizer import syntok
from runner.errors import RunnerError
from runner.files import open_temporary


@pytest.fixture
def data(tmp_path):
    """A file of 60 docs."""
    lines = (SAMPLE / "train.jsonl").read_text("utf-8").splitlines()[:60]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), "utf-8")
    return tmp_path / "train.jsonl"


def load(data, reader=None, tokenizer=None, recipe="", **changes):
    files = {"train": str(data), "dev": str(data), "in_memory_words": 0, "cache": str(data.parent / "cache")}
    spec = CorpusSpec(**{**files, **changes})
    return load_corpus(spec, reader=reader or auto(), tokenizer=tokenizer or syntok(), recipe=recipe)


def packed_files(data):
    return sorted((data.parent / "cache" / "packed").iterdir())


@pytest.mark.parametrize("gold_tokens", [True, False])
@pytest.mark.parametrize("cut", [{}, {"dev": None, "folds": 4, "fold": 1}, {"limit": 7}, {"two": True}])
def test_a_packed_corpus_is_the_same_corpus(data, gold_tokens, cut):
    cut = dict(cut)
    if cut.pop("two", False):
        cut["train"] = [str(data), str(SAMPLE / "dev.jsonl")]
    plain = load(data, in_memory_words=None, gold_tokens=gold_tokens, **cut)
    packed = load(data, gold_tokens=gold_tokens, **cut)
    assert isinstance(packed.train, PackedExamples)
    assert isinstance(packed.dev, list)
    assert packed.digest == plain.digest
    assert packed.sources == plain.sources
    assert packed.summary() == plain.summary()
    assert packed.n_train_words == plain.n_train_words
    for part in ("train", "dev"):
        for ours, theirs in zip(getattr(packed, part), getattr(plain, part), strict=True):
            assert ours.predicted.words == theirs.predicted.words
            assert ours.biluo() == theirs.biluo()
            assert ours.aligned_heads() == theirs.aligned_heads()
            assert ours.reference.source == theirs.reference.source


def test_only_what_is_too_much_for_memory(data):
    n_words = load(data, in_memory_words=None).n_train_words
    assert isinstance(load(data, in_memory_words=n_words).train, list)
    assert not (data.parent / "cache").exists()
    assert isinstance(load(data, in_memory_words=n_words - 1).train, PackedExamples)
    assert len(packed_files(data)) == 1
    assert isinstance(load(data, in_memory_words=n_words).train, list)
    assert isinstance(load(data, recipe=None).train, list)


def reading(data, packing, reader=None):
    return read_or_pack([(data, sha256_of(data))], reader or jsonl(), None, packing)


def test_what_was_left_out_is_told_again(data):
    answers = [
        json.dumps({"text": f"Oslo {i}", "spans": [], "answer": "accept" if i % 3 else "reject"}) for i in range(9)
    ]
    prodigy_file = data.parent / "answers.jsonl"
    prodigy_file.write_text("\n".join(answers), "utf-8")
    plain, first, second = (
        load(data, train=str(prodigy_file), dev=str(prodigy_file), reader=prodigy(), in_memory_words=n).left_out
        for n in (None, 0, 0)
    )
    assert sum(plain.values()) == 6  # of train and of dev
    assert first == second == plain


def test_what_is_packed_is_not_read_again(data):
    def must_not_read(path):
        raise AssertionError("read again")

    packing = Packing(5, data.parent / "cache", "a reader")
    first = reading(data, packing)
    again = reading(data, packing, must_not_read)
    assert [example.reference.text for example in again] == [example.reference.text for example in first]
    moved = data.rename(data.with_name("moved.jsonl"))
    assert reading(moved, packing, must_not_read)[0].reference.source == f"{moved}:1"
    with pytest.raises(AssertionError, match="read again"):
        reading(moved, Packing(5, data.parent / "cache", "another reader"), must_not_read)
    moved.write_text(moved.read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(AssertionError, match="read again"):
        reading(moved, packing, must_not_read)


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1], ids=["empty", "start", "half", "but one byte"])
def test_a_damaged_file_is_made_again(data, keep):
    texts = [example.reference.text for example in load(data).train]
    (path,) = packed_files(data)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    assert [example.reference.text for example in load(data).train] == texts
    assert packed_files(data) == [path]
    assert path.read_bytes() == whole


def build(data, start, done):
    start.wait()
    done.put([example.reference.text for example in load(data).train])


def test_two_runs_that_pack_at_once_end_with_one_good_file(data):
    context = multiprocessing.get_context("fork")
    start, done = context.Barrier(2), context.Queue()
    runs = [context.Process(target=build, args=(data, start, done)) for _ in range(2)]
    for process in runs:
        process.start()
    results = [done.get(timeout=60) for _ in runs]
    for process in runs:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert results[0] == results[1] == [example.reference.text for example in load(data, in_memory_words=None).train]
    (path,) = packed_files(data)
    assert path.suffix == ".arrays"


def test_a_faulty_file_leaves_nothing_behind(data):
    data.write_text(data.read_text("utf-8") + "\n{", "utf-8")
    with pytest.raises(RunnerError) as caught:
        load(data)
    assert caught.value.place.startswith(f"{data}:61")
    assert packed_files(data) == []


def test_a_file_that_changes_while_it_is_read(data):
    def read(path):
        yield from jsonl()(path)
        path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(RunnerError, match="changed while it was read"):
        reading(data, Packing(0, data.parent / "cache", ""), read)
    assert packed_files(data) == []


def test_a_cache_folder_that_is_none(data):
    with pytest.raises(
        RunnerError, match=r"^corpus.cache: .*train.jsonl/packed: Not a directory\n  Set corpus.cache to"
    ) as caught:
        load(data, cache=str(data))
    assert caught.value.exit_code == 2


def test_what_a_killed_run_left_is_removed_and_what_is_being_written_is_not(data):
    folder = data.parent / "cache" / "packed"
    folder.mkdir(parents=True)
    left, written, other = folder / ".a.arrays.1f.tmp", folder / ".b.arrays.2.tmp", folder / ".notes.3.tmp"
    for path in (left, other):
        path.touch()
    with open_temporary(written):
        load(data)
        assert not left.exists()
        assert written.exists()
        assert other.exists()  # not one of ours


def test_checksums_of_large_files_are_kept(data, monkeypatch):
    cache = data.parent / "cache"
    right = sha256_of(data)
    assert sha256_of(data, lambda: cache) == right
    assert not cache.exists()  # the file is small
    monkeypatch.setattr(digests, "LARGE", 0)
    assert sha256_of(data, lambda: cache) == right
    assert not cache.exists()  # the file is too new
    monkeypatch.setattr(digests, "_SETTLED", -1e9)
    assert sha256_of(data, lambda: cache) == right
    (record,) = (cache / "digests").iterdir()
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "sha256": "0" * 64}))
    assert sha256_of(data, lambda: cache) == "0" * 64  # it is trusted
    for damaged in ("", "[]", "{}", "null", json.dumps({**known, "sha256": 5})):
        record.write_text(damaged)
        assert sha256_of(data, lambda: cache) == right
    times = os.stat(data)
    data.write_bytes(data.read_bytes().swapcase())
    os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))  # the same size and time of modification
    assert sha256_of(data, lambda: cache) == sha256_of(data) != right
    with pytest.raises(RunnerError, match="cannot be read"):
        sha256_of(Path(data.parent / "none"), lambda: cache)
