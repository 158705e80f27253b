"""Pipes and devices where files are expected: an error at once, never a process that waits for ever."""

from __future__ import annotations

import hashlib
import io
import os
import signal
from pathlib import Path
from types import FrameType

import pytest

from runner.commands import bootstrap, convert
from runner.components.tag_map import read_tag_map
from runner.corpus import digests
from runner.corpus.packed.arrays import Arrays, DamagedArrays
from runner.corpus.patterns import read_patterns
from runner.corpus.readers.lines import read_bytes, read_lines
from runner.corpus.tokenizer import syntok
from runner.errors import RunFailed, RunnerError
from runner.files import open_file, open_locked, read_file
from runner.launch.results import read_summary
from runner.tracking.journal import JournalLock, JournalWriter, past_of, read_journal
from runner.tracking.mlflow.store import store_uri
from runner.training import checkpoint, keeper
from runner.user_code import load_code

FACT = "it is a pipe, socket or device, and no file"


@pytest.fixture(autouse=True)
def _no_waiting():
    """Fail after 20 seconds in which a test waits for a pipe."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError("waited for a pipe")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("read", [open_file, read_file, open_locked, read_journal])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused(pipe, read, kind):
    with pytest.raises(OSError, match=FACT):
        read(pipe if kind == "pipe" else Path("/dev/zero"))


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert read_file(tmp_path / "b") == b"x"
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "c")
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)


@pytest.mark.parametrize(
    "read",
    [
        checkpoint.load,
        JournalWriter,
        lambda path: list(read_lines(path)),
        read_bytes,
        digests.sha256_of,
        lambda path: read_patterns(path, syntok()),
        lambda path: list(bootstrap.read_texts(str(path))),
        lambda path: read_tag_map(str(path), "tag_map"),
        lambda path: load_code([str(path)]),
        lambda path: store_uri(f"sqlite:///{path}", cwd=path.parent),
    ],
)
def test_the_error_names_place_and_fact(pipe, read):
    with pytest.raises(RunnerError) as caught:
        read(pipe)
    assert str(pipe) in str(caught.value)
    assert FACT.removeprefix("it ") in str(caught.value)


def test_records_that_are_no_files_count_as_missing(pipe, tmp_path, monkeypatch):
    pipe.rename(tmp_path / "summary.json")
    assert read_summary(tmp_path) == {}
    assert past_of(tmp_path / "summary.json") == []
    with pytest.raises(DamagedArrays, match=FACT):
        Arrays(tmp_path / "summary.json")
    monkeypatch.setattr(digests, "LARGE", 1)
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.write_bytes(b"abc")
    record = cache / "digests" / f"{hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:32]}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(record)
    assert digests.sha256_of(data, lambda: cache) == hashlib.sha256(b"abc").hexdigest()


def test_a_journal_that_is_no_file_is_not_locked(pipe):
    with pytest.raises(OSError, match=FACT):
        JournalLock(pipe).is_taken(wait=False)


def handed_over(content: bytes) -> str:
    """The name of a pipe as a shell's `<(command)` gives it."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return f"/dev/fd/{reader}"


def test_convert_reads_the_pipe_of_a_process_substitution(tmp_path, capsys):
    name = handed_over(b"Paris B-LOC\nsleeps O\n")
    assert convert.main([name, str(tmp_path / "a.jsonl"), "--from", "iob"]) == 0
    assert '"words":["Paris","sleeps"]' in (tmp_path / "a.jsonl").read_text().replace(", ", ",").replace(": ", ":")
    name = handed_over(b"Paris B_LOC\n")
    assert convert.main([name, str(tmp_path / "b.jsonl"), "--from", "iob"]) == 2
    assert capsys.readouterr().err.startswith(f"{name}:1: ")


def test_bootstrap_reads_the_pipe_of_a_process_substitution():
    assert [text for text, _, _ in bootstrap.read_texts(handed_over(b"One text.\n\nAnother.\n"))] == [
        "One text.",
        "Another.",
    ]


def test_a_pipe_that_does_not_fit_on_the_disk(tmp_path):
    with pytest.raises(RunFailed) as caught:
        convert.keep(io.BytesIO(b"x"), Path("/dev/full"))
    assert str(caught.value) == (
        "/dev: the input cannot be kept: No space left on device\n  Set TMPDIR to a folder with more space."
    )


def test_a_line_of_a_pipe_that_never_ends():
    fact = "standard input:1: the line is longer than 10,000,000 bytes"
    with open("/dev/zero", "rb") as stream, pytest.raises(RunnerError, match=fact):
        list(bootstrap._stream_lines(stream, "standard input"))


def test_a_lock_that_is_no_file_is_told(pipe, tmp_path):
    pipe.rename(tmp_path / ".lock")
    with pytest.raises(RunFailed) as caught:
        keeper.lock(tmp_path)
    assert str(caught.value) == f"{tmp_path}/.lock: cannot write: {FACT}"
