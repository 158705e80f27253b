"""What a file may cost: archives that unpack to nonsense, endless lines, and lists that take the square of their length."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zipfile
import zlib

import pytest

from runner.corpus.readers.auto import auto
from runner.corpus.readers.lines import MAX_LINE, MAX_UNPACKED, read_bytes, read_lines
from runner.corpus.tokenizer import syntok
from runner.errors import RunnerError

MB = 1 << 20


def refused(path):
    """The error, and the most memory that it took to come to it."""
    tracemalloc.start()
    with pytest.raises(RunnerError) as caught:
        list(auto()(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(caught.value), peak


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.conllu.gz", "a.iob.gz", "a.csv.gz"])
def test_an_endless_line_is_not_read_to_its_end(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"x" * (MAX_LINE + MB), 1))
    text, peak = refused(path)
    assert text.startswith(f"{path}:1: the line is longer than 10,000,000 bytes")
    assert peak < 64 * MB


@pytest.mark.parametrize("name", ["a.spacy", "a.json.gz", "a.jsonl.gz"])
def test_an_archive_that_unpacks_to_far_more_than_text_would_is_refused(tmp_path, name):
    path = tmp_path / name
    if name == "a.spacy":
        pytest.importorskip("spacy")
    content = b"[" * 99 + b"\n"
    pack = zlib.compressobj(9, zlib.DEFLATED, 15 if name == "a.spacy" else 31)
    with path.open("wb") as file:
        for _ in range(MAX_UNPACKED // MB + 2):
            file.write(pack.compress(content * (MB // len(content) + 1)))
        file.write(pack.flush())
    assert path.stat().st_size < MB
    text, peak = refused(path)
    assert text.startswith(str(path))
    assert "the archive unpacks to more than 64 MB and 200 times its size" in text
    assert peak < 200 * MB


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b" \t\n"])
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.conllu.gz", "a.iob.gz", "a.csv.gz", "a.json.gz", "a.iob", "a.csv"])
def test_a_file_of_blank_lines_is_not_read_to_its_end(tmp_path, name, line):
    path = tmp_path / name
    content = line * (8 * MB // len(line))
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    numbers = [0]
    with pytest.raises(RunnerError) as caught:
        numbers.extend(number for number, _ in read_lines(path))
    assert numbers[-1] * len(line) <= 1.25 * MB
    with pytest.raises(RunnerError) as by_reader:
        list(auto()(path))
    assert str(by_reader.value) == (text := str(caught.value))
    assert text.startswith(
        f"{path}:{numbers[-1] + 1}: almost nothing but blanks: so far 1,310,720 bytes of white space, 0 of"
    )


def test_text_here_and_there_does_not_hide_that_a_file_is_blank(tmp_path):
    path = tmp_path / "a.iob.gz"
    path.write_bytes(gzip.compress((b"Paris B-LOC\n" + b"\n" * MB) * 8))
    with pytest.raises(RunnerError, match="almost nothing but blanks"):
        list(auto()(path))


def test_a_file_with_many_blank_lines_is_read(tmp_path):
    path = tmp_path / "a.iob"
    path.write_bytes(b"\n" * (MB // 2) + b"Paris B-LOC\n" + b"\n" * (MB // 2 - 100))
    (doc,) = auto()(path)
    assert doc.words == ["Paris"]
    path.write_bytes(b"Paris B-LOC\n\n\n\n\n\n\n" * 100_000)  # two thirds of it are white space
    assert sum(1 for _ in read_lines(path)) == 700_000


@pytest.mark.parametrize("unit", ["[],", '{"":1},', '"ab",'])
def test_json_that_is_all_small_objects_is_refused_before_it_is_read(tmp_path, unit):
    path = tmp_path / "a.json"
    path.write_text("[" + (unit * 10_000 + "\n") * (62_000_000 // len(unit) // 10_000) + "1]")
    text, peak = refused(path)
    assert text.startswith(f"{path}: the file would take ")
    assert text.splitlines()[0].endswith(" MB of memory")
    assert peak < 200 * MB


def test_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"good/{i}.txt", "word " * 10)
        archive.writestr("good/x.txt", b"x" * (MAX_LINE + 1))
    text, peak = refused(path)
    assert text.startswith(f"{path}/good/x.txt: the file is longer than")
    assert peak < 64 * MB


def test_a_name_in_an_archive_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/é.txt", "word")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\x96"))
    text, _ = refused(path)
    assert text.startswith(f"{path}: the archive cannot be unpacked")


def test_lines_are_the_same_wherever_blocks_end(tmp_path):
    path = tmp_path / "a.txt"
    lines = ["é" * n for n in (0, 5, 200_000, 1, 131_071, 131_072, 0, 3)]
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    assert list(read_lines(path)) == list(enumerate(lines, start=1))
    path.write_bytes(("\n".join(lines) + "\n").encode() + b"bad \xff\n")
    found = []
    with pytest.raises(RunnerError, match=rf"{path}:9: byte 0xff at position 4"):
        for pair in read_lines(path):
            found.append(pair)
    assert found == list(enumerate(lines, start=1))


def test_a_head_is_all_that_is_unpacked_of_a_file_to_look_at(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"x" * MB))
    assert read_bytes(path, 2) == b"xx"


@pytest.mark.parametrize("header", [b"\xdd\x7f\xff\xff\xff", b"\x81\xa5attrs\xdd\x7f\xff\xff\xff", b"\x91" * 5000])
def test_a_docbin_that_promises_more_than_it_holds_is_refused(tmp_path, header):
    pytest.importorskip("spacy")
    path = tmp_path / "a.spacy"
    path.write_bytes(zlib.compress(header))
    text, peak = refused(path)
    assert "this is no .spacy file, or a damaged one" in text
    assert peak < 64 * MB


def test_many_choices_take_no_square_of_time(tmp_path):
    path = tmp_path / "a.jsonl"
    names = [str(i) for i in range(20_000)]
    record = {"text": "x", "options": [{"id": name} for name in names], "accept": names, "answer": "accept"}
    path.write_text(json.dumps(record) + "\n")
    started = time.process_time()
    (doc,) = auto()(path)
    assert time.process_time() - started < 1.5
    assert len(doc.cats) == len(names)


def test_a_line_of_marks_takes_no_square_of_time():
    started = time.process_time()
    words, _ = syntok()("aB" * 200_000)
    assert "".join(words) == "aB" * 200_000
    assert time.process_time() - started < 4
