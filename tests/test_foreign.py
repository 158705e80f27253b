"""Labels, names and errors of strangers on a terminal, in Markdown, and in a lock that somebody else holds."""

from __future__ import annotations

import fcntl
import io
import os

import pytest

from runner.commands.paths import plan
from runner.corpus.locate import locate
from runner.corpus.packed.arrays import Arrays, DamagedArrays
from runner.errors import RunnerError
from runner.foreign import as_block, as_markdown, shown_name
from runner.streams import CleanStream
from runner.tracking.mlflow import entities as mlflow_entities
from runner.tracking.mlflow.note import note


def test_names() -> None:
    assert shown_name("PER\x1b[2J\nX") == "PER\\x1b[2J\\nX"
    assert shown_name("PER ") == "PER␣"
    assert shown_name("a\u202eb") == "a\\u202eb"
    assert shown_name("हिन्दी क्\u200dष") == "हिन्दी क्\u200dष"  # the joiner belongs to the word
    assert as_markdown("a|b`<i>") == "a\\|b\\`\\<i\\>"
    assert as_block(["x ``` y"]) == ["````", "x ``` y", "````"]
    assert str(RunnerError("label 'A\x1b]0;x\x07'")) == "label 'A\\x1b]0;x\\x07'"


def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf8") as pipe:
        stream = CleanStream(pipe, is_plain=True)
        stream.write("a table")
        stream.flush()  # BrokenPipeError, taken in


def test_what_is_printed_steers_nothing() -> None:
    file = io.StringIO()
    CleanStream(file, is_plain=True).write("a\x1b[31m\tb\nhttp://u:geheim9@h\n")
    assert file.getvalue() == "a\\x1b[31m\tb\nhttp://***@h\n"


def test_a_pipe_is_no_corpus_and_no_packed_file(tmp_path) -> None:
    """Opening a pipe without a writer would wait for ever."""
    os.mkfifo(tmp_path / "a.jsonl")
    for part in (tmp_path / "a.jsonl", "/dev/zero"):
        with pytest.raises(RunnerError, match="is a pipe, socket or device"):
            locate(str(part), "corpus.train")
    with pytest.raises(RunnerError, match="is a pipe, socket or device"):
        plan([str(tmp_path / "a.jsonl")], str(tmp_path / "b.jsonl"), "auto", None)
    with pytest.raises(DamagedArrays):
        Arrays(tmp_path / "a.jsonl")


def test_a_lock_that_is_held_is_waited_for_with_a_word_and_a_limit(tmp_path, monkeypatch) -> None:
    store = tmp_path / "mlflow.db"
    monkeypatch.setattr(mlflow_entities, "LOCK_SECONDS", 1.3)
    said: list[str] = []
    with (tmp_path / ".mlflow.db.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with mlflow_entities.creation_lock(f"sqlite:///{store}", said.append):
            pass
    assert len(said) == 1
    assert str(tmp_path / ".mlflow.db.lock") in said[0]


def test_the_description_is_not_broken_out_of() -> None:
    start = {"tags": {"command_line": "python -m runner tracking.run_name='a\n```\n# big'"}}
    text = note(start, {"best": {}, "status": "FAILED", "error": "label '<b>`'"})
    first, _, last = text.splitlines()[-3:]
    assert first == last == "````"  # one more than the command line holds
    assert "\\<b\\>" in text


@pytest.mark.parametrize("word", ["tracking.run_name=\udcff"])
def test_half_characters_are_refused_at_once(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    from runner.__main__ import main

    assert main([word]) == 2
    assert "not UTF-8" in capsys.readouterr().err
