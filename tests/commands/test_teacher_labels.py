"""`teacher=labels`: a model writes what it is sure of into the training data, once; the run is what it is to its last bit."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import runner
from runner.__main__ import main
from runner.commands import recorders

TINY = (
    "corpus=files", "tracking=none", "dropout=constant", "training.max_epochs=2", "batch=words", "batch.size=20",
    "optimizer.learn_rate=0.01", "corpus.dev=both.jsonl",
)  # fmt: skip
SMALL = ("tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100")
LABELS = ("init.model=first", "teacher=labels", "corpus.train=places.jsonl")


class Ended(NamedTuple):
    """A run that is over."""

    code: int
    folder: Path
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf8"))
        return summary


def command(cwd: Path, *words: str) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return Ended(code, cwd, out.getvalue(), err.getvalue())


def train(cwd: Path, out: str, *overrides: str, code: int = 0) -> Ended:
    ended = command(cwd, *TINY, f"output_dir={out}", *overrides)
    assert ended.code == code, ended.stderr
    return ended._replace(folder=cwd / out)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of people, data in which places alone are annotated, and a dev set with both."""
    folder = tmp_path_factory.mktemp("labels")
    parts: dict[str, list[dict[str, Any]]] = {"people": [], "places": [], "both": []}
    for name in ("Ann", "Bob", "Eve"):
        for town in ("Rome", "Oslo", "Bonn"):
            words = [name, "went", "to", town, "."]
            parts["people"].append({"words": words, "entities": ["U-PER", "O", "O", "O", "O"]})
            parts["places"].append({"words": words, "entities": ["O", "O", "O", "U-LOC", "O"]})
            parts["both"].append({"words": words, "entities": ["U-PER", "O", "O", "U-LOC", "O"]})
    for stem, records in parts.items():
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf8")
    names, towns = ("Zoe", "Max", "Ann"), ("Kiel", "Nice", "Rome")
    raw = [f"{name} went to {town} .\n" for name in names for town in towns]
    (folder / "raw.txt").write_text("".join(raw), "utf8")
    (folder / "bare.jsonl").write_text('{"words": ["It", "rained", "."]}\n' * 3, "utf8")
    train(
        folder,
        "first",
        "pipeline=ner",
        *SMALL,
        "corpus.train=people.jsonl",
        "training.max_epochs=12",
        "training.eval_every=1000",
    )
    return folder


def test_the_old_label_is_written_beside_the_new_one(place: Path) -> None:
    ended = train(place, "written", *LABELS, "training.max_epochs=12")
    assert "ner: 9 pseudo-labels in 9 texts (PER 9)" in ended.stderr
    assert ended.summary["pseudo_labels"]["ner"]["labels"] == {"PER": 9}
    assert ended.summary["pseudo_labels"]["ner"]["texts"] == 9
    last = runner.load(ended.folder / "model-last")
    assert {ent.label for ent in last("Ann went to Rome .").ents} == {"PER", "LOC"}
    assert "teach/" not in ended.stdout  # what is written is annotation as any other


def test_a_label_that_is_never_sure_enough_is_not_written(place: Path) -> None:
    ended = train(place, "unsure", *LABELS, "teacher.min_confidence=1")
    assert "ner: 0 pseudo-labels in 0 texts; 36 words stay open" in ended.stderr  # all but the nine places


def test_packed_data_get_the_same_labels_and_the_same_weights(place: Path) -> None:
    memory = train(place, "memory", *LABELS)
    packed = [
        train(place, f"packed{i}", *LABELS, "corpus.in_memory_words=0", "corpus.cache=cache").summary for i in (0, 1)
    ]
    assert len(list((place / "cache/packed").iterdir())) == 2  # as read, and with labels; both found again
    for one in packed:
        assert one["pseudo_labels"] == memory.summary["pseudo_labels"]
        assert one["weights_sha256"] == memory.summary["weights_sha256"]
    train(place, "packed2", *LABELS, "corpus.in_memory_words=0", "corpus.cache=cache", "teacher.min_confidence=0.95")
    assert len(list((place / "cache/packed").iterdir())) == 3


def test_packed_folds_get_labels_too(place: Path) -> None:
    words = ("init.model=first", "teacher=labels", "corpus.train=both.jsonl", "corpus.dev=null", "corpus.folds=3")
    packed = ("corpus.in_memory_words=0", "corpus.cache=cache_of_folds")
    found = [train(place, f"fold{i}", *words, *more).summary for i, more in enumerate(((), packed))]
    assert found[0]["weights_sha256"] == found[1]["weights_sha256"]


def test_an_interrupted_run_goes_on_with_the_same_bits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(place, "whole", *LABELS)

    record = recorders.Checkpoints.record

    def interrupt(self: Any, step: Any) -> None:
        record(self, step)
        if step.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recorders.Checkpoints, "record", interrupt)
        train(place, "halved", *LABELS, "training.checkpoint_steps=1", code=130)
    ended = train(place, "halved", *LABELS, "training.checkpoint_steps=1", "resume=auto")
    assert "goes on after step 3" in ended.stdout
    for key in ("weights_sha256", "pseudo_labels", "best", "fingerprint"):
        assert ended.summary[key] == whole.summary[key]


def test_what_decides_about_the_labels_is_in_the_fingerprint(place: Path) -> None:
    prints = {
        train(place, f"print{i}", *LABELS, "training.max_epochs=1", *more).summary["fingerprint"]
        for i, more in enumerate([(), ("teacher.min_confidence=0.8",), ("teacher=itself",)])
    }
    assert len(prints) == 3


def test_labels_and_beliefs_together(place: Path) -> None:
    ended = train(place, "together", *LABELS, "teacher=both", "training.max_epochs=12")
    assert "ner: 9 pseudo-labels" in ended.stderr
    last = runner.load(ended.folder / "model-last")
    assert {ent.label for ent in last("Ann went to Rome .").ents} == {"PER", "LOC"}


def test_another_model_writes_for_a_component_that_begins_anew(place: Path) -> None:
    words = ("teacher=labels", "teacher.model=first", "corpus.train=places.jsonl", "pipeline=ner", *SMALL)
    ended = train(place, "anew", *words)
    assert "ner: 9 pseudo-labels in 9 texts (PER 9)" in ended.stderr
    assert set(runner.load(ended.folder).get_pipe("ner").labels) == {"LOC", "PER"}


def test_debug_tells_what_is_written(place: Path) -> None:
    words = [word for word in TINY if not word.startswith("tracking")]
    ended = command(place, "debug", "--json", *words, *LABELS)
    assert ended.code == 0, ended.stderr
    assert "ner: 9 pseudo-labels in 9 texts (PER 9)" in ended.stderr
    report = json.loads(ended.stdout)
    assert report["corpus"]["train"]["annotations"]["ner"]["labels"] == {"LOC": 9, "PER": 9}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["teacher=labels", "pipeline=ner", *SMALL], "teacher.model: there is no model to learn from"),
        (["teacher=labels", "teacher.model=first", "pipeline=tagger"], "the teacher has none of the components"),
        ([*LABELS, "teacher.min_confidence=1.5"], "teacher.min_confidence: must be at most 1, got 1.5"),
    ],
)
def test_a_teacher_that_cannot_write_is_refused(place: Path, words: list[str], told: str) -> None:
    ended = train(place, "refused", "corpus.train=places.jsonl", *words, code=2)
    assert told in " ".join(ended.stderr.split())
    assert len(ended.stderr.splitlines()) <= 3


# Raw texts

RAW = (*LABELS, "teacher.texts=raw.txt")


def test_raw_texts_are_learned_from_what_the_teacher_writes(place: Path) -> None:
    ended = train(place, "raw", *RAW)
    assert "raw texts to learn from the teacher: 9 of 45 words" in ended.stderr
    written = ended.summary["pseudo_labels"]["ner"]
    assert set(written["labels"]) == {"PER"}
    assert 12 <= written["texts"] <= 18  # the nine annotated texts, and at least those about Ann
    assert ended.summary["train_words"] == 2 * (9 * 5 + 45)  # an epoch goes over both


def test_the_size_of_the_data_counts_both(place: Path) -> None:
    free = [word for word in RAW if not word.startswith("batch")]
    ended = command(place, "corpus=files", "corpus.dev=both.jsonl", "tracking=none", "output_dir=free", *free)
    assert ended.code == 0, ended.stderr
    chosen = json.loads((place / "free" / "summary.json").read_text("utf8"))["chosen"]
    assert chosen["corpus.train"] == "18 texts of 5 words"


@pytest.mark.parametrize("teacher", ["labels", "itself", "both"])
def test_packed_texts_give_the_same_weights(place: Path, teacher: str) -> None:
    words = (*RAW, f"teacher={teacher}")
    memory = train(place, f"raw_memory_{teacher}", *words).summary
    for n in (0, 44):  # all is packed; 45 words of each are packed too, if 44 may stay
        packed = ("corpus.cache=cache_raw", f"corpus.in_memory_words={n}")
        for i in (0, 1):  # packed now, and found again
            found = train(place, f"raw_packed_{teacher}_{n}_{i}", *words, *packed).summary
            assert found["weights_sha256"] == memory["weights_sha256"]
            assert found["pseudo_labels"] == memory["pseudo_labels"]


def test_an_interrupted_run_on_raw_texts_goes_on_with_the_same_bits(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*RAW, "teacher=both", "training.checkpoint_steps=1")
    whole = train(place, "raw_whole", *words)
    record = recorders.Checkpoints.record

    def interrupt(self: Any, step: Any) -> None:
        record(self, step)
        if step.step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recorders.Checkpoints, "record", interrupt)
        train(place, "raw_halved", *words, code=130)
    ended = train(place, "raw_halved", *words, "resume=auto")
    assert "goes on after step 5" in ended.stdout
    assert ended.summary["weights_sha256"] == whole.summary["weights_sha256"]


def test_the_texts_are_part_of_the_fingerprint_by_their_content(place: Path) -> None:
    (place / "copy.txt").write_bytes((place / "raw.txt").read_bytes())
    (place / "other.txt").write_text("Ann saw Bob .\n", "utf8")
    prints = [
        train(place, f"texts{i}", *LABELS, f"teacher.texts={name}", "training.max_epochs=1").summary["fingerprint"]
        for i, name in enumerate(("raw.txt", "copy.txt", "other.txt"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_student_learns_all_from_the_teacher_where_nothing_is_annotated(place: Path) -> None:
    """Distillation: the training data need no annotation of the component."""
    words = ("pipeline=ner", *SMALL, "teacher=model", "teacher.model=first", "teacher.texts=raw.txt")
    ended = train(place, "student", *words, "corpus.train=bare.jsonl", "training.max_epochs=25")
    nlp = runner.load(ended.folder / "model-last")
    assert nlp.get_pipe("ner").labels == ["PER"]
    assert [ent.text for ent in nlp("Ann went to Rome .").ents] == ["Ann"]


def test_a_distilled_run_asks_the_teacher_once_about_each_text_and_ends_with_the_same_bits(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.components.network import Network

    asked: list[int] = []
    ask = Network.beliefs

    def counted(self: Network, docs: Any, *rest: Any) -> Any:
        asked.append(len(docs))
        return ask(self, docs, *rest)

    monkeypatch.setattr(Network, "beliefs", counted)
    words = ("experiment=distilled", "pipeline=ner", *SMALL, "teacher.model=first", "teacher.texts=raw.txt")
    whole = train(place, "distilled", *words, "corpus.train=bare.jsonl", "training.max_epochs=4")
    texts = {line for name in ("bare.jsonl", "raw.txt") for line in (place / name).read_text("utf8").splitlines()}
    assert set(asked) == {1}
    assert len(asked) <= len(texts)
    again = train(place, "distilled-again", *words, "corpus.train=bare.jsonl", "training.max_epochs=4")
    assert again.summary["weights_sha256"] == whole.summary["weights_sha256"]


def test_texts_without_a_teacher_are_refused(place: Path) -> None:
    words = ("init.model=first", "corpus.train=places.jsonl", "teacher.texts=raw.txt")
    ended = train(place, "refused", *words, code=2)
    assert "teacher.texts: there are texts to learn from a teacher, and no teacher" in ended.stderr
    ended = train(place, "refused", *words, "teacher=itself", "teacher.texts=row.txt", code=2)
    assert "teacher.texts: there is no file row.txt" in ended.stderr
