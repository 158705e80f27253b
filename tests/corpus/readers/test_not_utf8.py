"""Files that are not UTF-8: what they are taken for, and that the advised command mends them."""

from __future__ import annotations

import gzip
import subprocess

import pytest

from runner.corpus.readers.auto import auto
from runner.corpus.readers.lines import read_lines
from runner.corpus.readers.not_utf8 import guess_encoding
from runner.errors import RunnerError

GERMAN = "Die Straße führt über Köln. Déjà vu; naïve señoras. "
QUOTES = "“ok”, it’s €5 – fine… "


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (GERMAN + QUOTES, "cp1252", "CP1252"),
        ("caf\u00e9 “ok” €5", "cp1252", "CP1252"),
        (GERMAN, "latin-1", "LATIN1"),
        (GERMAN, "mac_roman", "MACINTOSH"),
        (QUOTES, "mac_roman", "MACINTOSH"),
        (GERMAN, "utf-16", "UTF-16"),
        (GERMAN, "utf-16-le", "UTF-16LE"),
        (GERMAN, "utf-16-be", "UTF-16BE"),
        ("吾輩は猫である", "utf-16", "UTF-16"),
        (GERMAN, "utf-32", "UTF-32"),
        ("Привет, мир", "cp1251", None),
        ("吾輩は猫である。名前はまだ無い。", "shift-jis", None),
        ("吾輩は猫である。名前はまだ無い。", "euc-jp", None),
    ],
)
def test_the_encoding_is_told_by_its_bytes_or_not_at_all(text, codec, name):
    assert guess_encoding(text.encode(codec)) == name


@pytest.mark.parametrize(
    ("data", "is_packed"),
    [
        ("text,label\ncaf\u00e9 “ok” €5,A\n".encode("cp1252"), False),
        ("text,label\ncaf\u00e9 “ok” €5,A\n".encode("cp1252"), True),
        ("text,label\ncaf\u00e9 “ok” €5,A\n".encode("utf-16"), False),
        ("text,label\ncaf\u00e9 “ok” €5,A\n".encode("utf-16-le"), False),
        ("text,label\rcaf\u00e9 “ok” €5,A\r".encode(), False),
        ("text,label\rcaf\u00e9 “ok” €5,A\r".encode(), True),
    ],
)
def test_the_advised_command_mends_the_file(tmp_path, data, is_packed):
    path = tmp_path / ("it's a file.csv.gz" if is_packed else "a b.csv")
    path.write_bytes(gzip.compress(data) if is_packed else data)
    with pytest.raises(RunnerError) as caught:
        list(auto()(path))
    assert caught.value.place.startswith(f"{path}:")
    command = caught.value.hint.partition(": ")[2]
    subprocess.run(command, shell=True, check=True)
    (new,) = (file for file in tmp_path.iterdir() if file != path)
    (doc,) = auto()(new)
    assert doc.text == "caf\u00e9 “ok” €5"
    assert doc.cats == {"A": 1.0}


def test_a_broken_character_in_utf_8_is_not_sent_through_another_encoding(tmp_path):
    path = tmp_path / "a.iob"
    path.write_bytes("Köln O\nüber O\n".encode() + b"caf\xe9 O\n")
    with pytest.raises(
        RunnerError, match=r"a\.iob:3: byte 0xe9 .*\n  The rest of the file is UTF-8.*iconv -c"
    ) as caught:
        list(auto()(path))
    subprocess.run(caught.value.hint.rpartition(": ")[2], shell=True, check=True)
    (doc,) = auto()(tmp_path / "a.utf8.iob")
    assert doc.words == ["Köln", "über", "caf"]


@pytest.mark.parametrize("name", ["a.iob", "a.conllu", "a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt"])
def test_line_ends_of_cr_alone_are_an_error_in_every_format(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"Ann\tB-PER\rsaw\tO\r\rOslo\tB-LOC\r")
    with pytest.raises(RunnerError, match=r":1: the lines end with CR alone"):
        list(auto()(path))


def test_a_cr_at_the_end_or_in_a_cell_is_none(tmp_path):
    path = tmp_path / "a"
    for content, n in ((b"a O\r", 1), (b"a O\r\nb O\r\n", 2), (b'text,label\n"a\rb",A\n', 2)):
        path.write_bytes(content)
        assert len(list(read_lines(path))) == n
