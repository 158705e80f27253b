"""`python -m runner bootstrap`: raw text in, tasks to review out."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.__main__ import main
from runner.assemble import make_corpus
from runner.config.compose import compose
from runner.corpus.doc import Doc

PATTERNS = [
    {"label": "ORG", "pattern": [{"LOWER": "acme"}, {"LOWER": "corp", "OP": "?"}]},
    {"label": "PERSON", "pattern": [{"IS_TITLE": True}], "confidence": 0.6, "id": "capital"},
]
TEXTS = ["Acme Corp hired  Ada .", "nothing here", "acme"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(p) + "\n" for p in PATTERNS), encoding="utf8")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n\n", encoding="utf8")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recognizer that has seen the sample corpus twice."""
    examples = make_corpus(compose(["corpus.limit=150"])).train
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 1, "embed_size": 500}})
    sgd = nlp.initialize(lambda: examples, sgd=runner.adam(learn_rate=0.01))
    for _ in range(3):
        for at in range(0, len(examples), 8):
            nlp.update(examples[at : at + 8], drop=0.1, sgd=sgd)
    path = tmp_path_factory.mktemp("model") / "model"
    nlp.to_disk(path)
    return path


def run(folder: Path, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["bootstrap", *words])
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_patterns_propose_what_an_annotator_reviews(folder):
    code, tasks, err = run(folder, "texts.txt", "--patterns", "p.jsonl")
    assert code == 0
    assert err == "3 texts read, 3 written, 2 of them with proposals: 3 (ORG 2, PERSON 1)\n"
    first = tasks[0]
    assert first["text"] == TEXTS[0]  # as given, its two spaces too
    assert "answer" not in first
    assert first["spans"] == [
        {"start": 0, "end": 9, "token_start": 0, "token_end": 1, "label": "ORG", "score": 1.0, "source": "patterns"},
        {"start": 17, "end": 20, "token_start": 3, "token_end": 3, "label": "PERSON", "score": 0.6, "source": "patterns",
         "pattern_id": "capital"},
    ]  # fmt: skip
    assert first["meta"] == {"source": "patterns", "score": 0.6}
    assert first["tokens"][1] == {"text": "Corp", "start": 5, "end": 9, "id": 1, "ws": True}
    assert first["tokens"][-1] == {"text": ".", "start": 21, "end": 22, "id": 4, "ws": False}
    assert [task["spans"] for task in tasks[1:2]] == [[]]


def test_threshold_limit_and_only_texts_with_proposals(folder):
    _, tasks, _ = run(folder, "texts.txt", "--patterns", "p.jsonl", "--threshold", "0.7")
    assert [[span["label"] for span in task["spans"]] for task in tasks] == [["ORG"], [], ["ORG"]]
    _, tasks, _ = run(folder, "texts.txt", "--patterns", "p.jsonl", "--skip-empty", "--limit", "2")
    assert [task["text"] for task in tasks] == [TEXTS[0], TEXTS[2]]


def test_doubtful_texts_first(folder):
    # "Ada" at 0.6 is 0.8 uncertain; certain matches are not, and keep their order.
    (folder / "texts.txt").write_text("acme\nnothing\nhired Ada\n", encoding="utf8")
    _, tasks, _ = run(folder, "texts.txt", "--patterns", "p.jsonl", "--order", "uncertain")
    assert [task["text"] for task in tasks] == ["hired Ada", "acme", "nothing"]


def test_a_model_proposes_what_it_predicts(folder, model):
    texts = ["Maria Keller flew to Oslo on Monday .", "Acme hired nobody ."]
    (folder / "texts.jsonl").write_text(
        "".join(json.dumps({"text": text, "meta": {"id": i}}) + "\n" for i, text in enumerate(texts)), encoding="utf8"
    )
    code, tasks, _ = run(folder, "texts.jsonl", "--model", str(model), "--tokenizer", "whitespace")
    assert code == 0
    assert [task["meta"]["id"] for task in tasks] == [0, 1]
    spans = [span for task in tasks for span in task["spans"]]
    assert spans
    assert all(0.5 <= span["score"] <= 1 and span["source"] == "ner" for span in spans)
    nlp = runner.load(model)
    for text, task in zip(texts, tasks, strict=True):
        predicted = {(ent.start, ent.end, ent.label) for ent in nlp(Doc(text.split())).ents}
        proposed = {(s["token_start"], s["token_end"] + 1, s["label"]) for s in task["spans"] if s["score"] > 0.6}
        assert proposed <= predicted  # what is this probable is on the best path


def test_reviewed_tasks_can_be_learned_from(folder):
    """Offsets and labels in the simple training style give the same entities."""
    from runner.corpus.annotations import read_annotations

    _, tasks, _ = run(folder, "texts.txt", "--patterns", "p.jsonl")
    task = tasks[0]
    record = {"text": task["text"], "words": [token["text"] for token in task["tokens"]], "entities": task["spans"]}
    doc = read_annotations(record, None)
    assert [(ent.text, ent.label) for ent in doc.ents] == [("Acme Corp", "ORG"), ("Ada", "PERSON")]


def test_standard_input_and_an_output_file(folder, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"Acme\r\nand Ada\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    code, printed, _ = run(folder, "-", "--patterns", "p.jsonl", "-o", "tasks.jsonl")
    assert (code, printed) == (0, [])
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text(encoding="utf8").splitlines()]
    assert [task["text"] for task in tasks] == ["Acme", "and Ada"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["texts.txt"], "nothing to propose with"),
        (["none.txt", "--patterns", "p.jsonl"], "none.txt: the file cannot be read"),
        (["texts.txt", "--patterns", "none.jsonl"], "none.jsonl: the file cannot be read"),
        (["texts.txt", "--model", "none"], "none"),
        (["texts.txt", "--patterns", "p.jsonl", "--threshold", "2"], "'2' is no number from 0 to 1"),
        (["texts.txt", "--patterns", "p.jsonl", "--limit", "0"], "'0' is no number of at least 1"),
        (["texts.txt", "--patterns", "p.jsonl", "--tokenizer", "wordy"], "unknown tokenizer 'wordy'"),
        (["broken.jsonl", "--patterns", "p.jsonl"], "broken.jsonl:2: the line is not JSON"),
        (["no_text.jsonl", "--patterns", "p.jsonl"], "no_text.jsonl:1: there is no text"),
        (["texts.txt", "--wrong"], "--wrong"),
    ],
)
def test_mistakes_are_told_in_two_lines(folder, words, message):
    (folder / "broken.jsonl").write_text('{"text": "a"}\n{"text"\n', encoding="utf8")
    (folder / "no_text.jsonl").write_text('{"words": ["a"]}\n', encoding="utf8")
    code, _, err = run(folder, *words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) <= 2


def test_help():
    assert main(["bootstrap", "--help"]) == 0
