"""Data sets: files found and verified, folds, and errors that name the key. No test touches the network."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml

from runner.corpus.datasets import CorpusSpec, load_corpus
from runner.corpus.locate import SAMPLE, locate
from runner.corpus.readers.auto import auto
from runner.corpus.readers.iob import iob
from runner.corpus.tokenizer import syntok, whitespace
from runner.errors import RunnerError
from runner.registry import readers

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
CONF = Path(__file__).parents[2] / "conf" / "corpus"
SENTENCES = "Ada B-PER\nran O\n\nin O\nNew B-LOC\nYork I-LOC\n\nshe O\n\nit O\nran O\n\nwe O\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNNER_DATA_MIRROR", raising=False)
    (tmp_path / "train.iob").write_text(SENTENCES, "utf-8")
    (tmp_path / "dev.jsonl").write_text(json.dumps({"text": "Ada ran.", "entities": [[0, 3, "PER"]]}), "utf-8")
    return tmp_path


def load(reader=None, tokenizer=None, **changes):
    spec = CorpusSpec(**{"name": "mine", "train": "train.iob", "dev": "dev.jsonl", **changes})
    return load_corpus(spec, reader=reader or auto(), tokenizer=tokenizer or syntok())


def test_files_from_the_current_folder(files):
    corpus = load()
    assert [len(corpus.train), len(corpus.dev)] == [5, 1]
    assert [corpus.n_train_words, corpus.n_dev_words] == [9, 3]
    assert corpus.train[1].aligned_ents() == [(1, 3, "LOC")]
    train, dev = corpus.sources
    assert (train.name, train.split, train.n_docs, train.n_words) == ("mine", "train", 5, 9)
    assert dev.sha256 == hashlib.sha256((files / "dev.jsonl").read_bytes()).hexdigest()
    assert corpus.summary()[0].split()[:5] == ["train", "5", "docs", "9", "words"]
    assert corpus.summary()[0].endswith("2 entities (PER 1, LOC 1)")
    assert corpus.test == []


def test_the_digest_follows_the_contents_and_the_cut(files):
    digest = load().digest
    assert load().digest == digest
    assert load(limit=2).digest != digest
    (files / "train.iob").write_text(SENTENCES.replace("York", "Haven"), "utf-8")
    assert load().digest != digest


def test_lists_limit_and_test(files):
    corpus = load(train=["train.iob", Path("train.iob")], limit=2, test="dev.jsonl")
    assert len(corpus.train) == 4
    assert [(source.split, source.n_docs) for source in corpus.sources] == [
        ("train", 2), ("train", 2), ("dev", 1), ("test", 1),
    ]  # fmt: skip
    assert corpus.test[0].predicted.words == ["Ada", "ran", "."]
    assert corpus.digest == load(train=["train.iob", Path("train.iob")], limit=2).digest  # of what makes the weights
    assert load(test="none.jsonl", score_test=False).test == []  # not even looked for
    with pytest.raises(RunnerError, match=r"there is no file none\.jsonl"):
        load(test="none.jsonl")
    assert [s.split for s in load(dev=None, folds=2, test="dev.jsonl").sources] == ["train", "dev", "test"]


@pytest.mark.parametrize(("fold", "dev"), [(None, [0, 1]), (0, [0, 1]), (1, [2, 3, 4])])
def test_folds_are_contiguous(files, fold, dev):
    order = [example.predicted.text for example in load().train]
    corpus = load(dev=None, folds=2, fold=fold)
    assert [example.predicted.text for example in corpus.dev] == [order[i] for i in dev]
    assert [example.predicted.text for example in corpus.train] == [order[i] for i in range(5) if i not in dev]
    assert [source.split for source in corpus.sources] == ["train", "dev"]
    assert len({source.sha256 for source in corpus.sources}) == 1


def test_folds_over_several_files(files):
    corpus = load(train=["train.iob", "train.iob"], dev=None, folds=5, fold=2)
    assert [(source.split, source.n_docs) for source in corpus.sources] == [
        ("train", 4), ("train", 4), ("dev", 1), ("dev", 1)
    ]  # fmt: skip


def test_predicted_tokens_are_the_tokenizers_where_asked(files):
    (files / "train.iob").write_text("It O\nruns. O\nNew B-LOC\nYork, I-LOC\n", "utf-8")
    (example,) = load(gold_tokens=False).train
    assert example.predicted.words == ["It", "runs", ".", "New", "York", ","]
    assert example.aligned_ents() == [(3, 6, "LOC")]
    assert example.token_counts() == (2, 6, 4)


def test_a_reader_of_the_path_alone(files):
    assert len(load(reader=lambda path: iob()(path), dev="train.iob").train) == 5


@pytest.mark.parametrize(
    ("changes", "place", "text"),
    [
        ({"train": "trian.iob"}, "corpus.train", "Did you mean train.iob?"),
        ({"train": "data/train.iob"}, "corpus.train", "there is no folder data"),
        ({"dev": ["dev.jsonl", "deb.jsonl"]}, "corpus.dev[1]", "Did you mean dev.jsonl?"),
        ({"dev": "."}, "corpus.dev", "is a folder"),
        ({"dev": []}, "corpus.dev", "the list is empty"),
        ({"dev": 3}, "corpus.dev", "3 is not a path"),
        ({"dev": None}, "corpus.dev", "corpus.folds=5"),
        ({"train": None}, "corpus.train", "no training data"),
        ({"folds": 2}, "corpus.folds", "corpus.dev=null"),
        ({"dev": None, "folds": 2, "fold": 2}, "corpus.fold", "no fold 2 of 2"),
        ({"dev": None, "folds": 9}, "corpus.dev", "no examples in the dev data"),
        ({"dev": {"path": "x"}}, "corpus.dev", "the keys path"),
        ({"dev": {"bundled": "none.jsonl"}}, "corpus.dev", "there is no file"),
        ({"dev": {"url": "http://a.example/b", "sha256": "0"}}, "corpus.dev", "not an https address"),
    ],
)
def test_faults_name_the_key(files, changes, place, text):
    with pytest.raises(RunnerError) as caught:
        load(**changes)
    message = str(caught.value)
    assert message.startswith(place + ": ")
    assert text in message
    assert message.count("\n") == 1


def remote(files, content=b"a O\n", **changes):
    return {
        "url": "https://a.example/set/FILE.iob",
        "sha256": hashlib.sha256(content).hexdigest(),
        "mirror": "set/FILE.iob",
        **changes,
    }


def test_mirror(files, monkeypatch):
    monkeypatch.setenv("RUNNER_DATA_MIRROR", str(files / "mirror"))
    with pytest.raises(RunnerError, match=r"corpus.train \(RUNNER_DATA_MIRROR\): there is no file"):
        load(train=remote(files))
    (files / "mirror" / "set").mkdir(parents=True)
    (files / "mirror" / "set" / "FILE.iob").write_bytes(b"a O\n")
    assert len(load(train=remote(files)).train) == 1
    with pytest.raises(RunnerError, match=r"corpus.train: .* has the checksum .*, not 000000000000… \(sha256\)\n"):
        load(train=remote(files, sha256="0" * 64))


@pytest.fixture
def pooch_without_network(files, monkeypatch):
    """pooch as it is, but what it downloads comes from a dict; an address that is not in it is unreachable."""
    import pooch

    served, asked = {}, []

    class Downloader:
        def __init__(self, **options):
            pass

        def __call__(self, url, output_file, pooch):
            asked.append(url)
            if url not in served:
                raise ConnectionError("Name or service not known")
            Path(output_file).write_bytes(served[url])

    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)
    monkeypatch.setattr(pooch, "os_cache", lambda name: files / "cache" / name)
    return served, asked


def test_download_once_and_verify(files, pooch_without_network):
    served, asked = pooch_without_network
    with pytest.raises(RunnerError, match=r"cannot be downloaded \(Name or service not known\)") as caught:
        load(train=remote(files))
    assert "RUNNER_DATA_MIRROR" in caught.value.hint
    assert str(caught.value).count("\n") == 1

    served["https://a.example/set/FILE.iob"] = b"a O\n"
    assert len(load(train=remote(files)).train) == 1
    assert (files / "cache/runner/set/FILE.iob").is_file()
    n_asked = len(asked)
    assert len(load(train=remote(files)).train) == 1
    assert len(asked) == n_asked

    served["https://a.example/set/FILE.iob"] = b"altered O\n"
    with pytest.raises(RunnerError, match=r"has the checksum .*…, not .*…") as caught:
        load(train=remote(files, mirror=None))
    assert hashlib.sha256(b"altered O\n").hexdigest()[:12] in str(caught.value)
    assert not (files / "cache/runner/FILE.iob").exists()


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_conf_files_fit_the_spec(path):
    config = yaml.safe_load(path.read_text("utf-8"))
    keys = {field.name for field in dataclasses.fields(CorpusSpec)} - {
        "in_memory_words",
        "cache",
        "old_dev",
    }  # a run's, not a corpus'
    assert set(config) - {"old_dev"} == keys | {"reader"}
    assert config["name"] == path.stem
    block = dict(config["reader"])
    readers.get(block.pop("type"))(**block)
    for part in (config["train"], config["dev"], config["test"]):
        if isinstance(part, dict) and "url" in part:
            assert part["url"].startswith("https://")
            assert len(part["sha256"]) == 64


@pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")
@pytest.mark.parametrize(
    ("name", "sizes"), [("wnut17", (3394, 1009, 1287)), ("wikigold", (1356, 340, 0))], ids=["wnut17", "wikigold"]
)
def test_data_sets(name, sizes):
    config = yaml.safe_load((CONF / f"{name}.yaml").read_text("utf-8"))
    block = dict(config.pop("reader"))
    assert config["score_test"] is (config["test"] is None)  # a published test set is for the last measurement
    config["score_test"] = True
    corpus = load_corpus(CorpusSpec(**config), reader=readers.get(block.pop("type"))(**block), tokenizer=whitespace())
    assert (len(corpus.train), len(corpus.dev), len(corpus.test)) == sizes


def test_the_sample_is_bundled():
    for name in ("train.jsonl", "dev.jsonl"):
        if not (SAMPLE / name).is_file():
            pytest.skip("the sample corpus is not in the tree")
    corpus = load(train={"bundled": "train.jsonl"}, dev={"bundled": "dev.jsonl"})
    assert len(corpus.train) > len(corpus.dev) > 0
    assert sum(example.excluded_ents for example in corpus.train + corpus.dev) == 0


@pytest.mark.parametrize(
    "part",
    [
        {"bundled": "../../errors.py"},
        {"bundled": "/etc/hostname"},
        {"url": "https://example.org/x", "sha256": "0" * 64, "mirror": "../../../.profile"},
        {"url": "https://example.org/x", "sha256": "0" * 64, "mirror": "/etc/profile"},
        {"url": "https://example.org/..", "sha256": "0" * 64},
        {"bundled": "train.jsonl", "members": "/etc/hostname"},
    ],
)
def test_a_data_set_stays_in_its_folder(part, monkeypatch):
    monkeypatch.delenv("RUNNER_DATA_MIRROR", raising=False)
    with pytest.raises(RunnerError, match=r"^corpus\.train\.\w+: .* leads out of its folder"):
        locate(part, "corpus.train")
