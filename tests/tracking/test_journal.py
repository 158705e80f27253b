"""The journal comes back as it was written, whatever the moment it is read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RunFailed
from runner.tracking.journal import JournalReader, JournalWriter, flatten, per_type_rows, read_journal

KEYS = ("train/loss", "schedule/learn_rate")


def test_round_trip(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "new" / "journal.jsonl")
    writer.event("start", name="a", params={"x": "ü"}, uri="sqlite:///a.db", tags={})
    writer.metrics(1, KEYS, (0.1, 1e-6))
    start, metrics = read_journal(writer.path)
    assert (start["event"], start["name"], start["params"]) == ("start", "a", {"x": "ü"})
    assert (metrics["step"], metrics["values"]) == (1, {"train/loss": 0.1, "schedule/learn_rate": 1e-6})
    assert abs(metrics["time"] - start["time"]) < 10_000  # milliseconds


def test_reader_follows_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event":"a"}\n{"event":')
    reader = JournalReader(path)
    assert [event["event"] for event in reader.read()] == ["a"]
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(b'"b"}\n{"event":"c"')
    assert [event["event"] for event in reader.read()] == ["b"]


def test_a_line_cut_by_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event":"a"}\n{"event":"cut')
    writer = JournalWriter(path, is_new=False)
    writer.event("b")
    assert [event["event"] for event in read_journal(path)] == ["a", "b"]


@pytest.mark.parametrize("line", [
    "[1]", "3", '{"event":7}', '{"event":"start","uri":null,"tags":{}}', '{"event":"start","uri":"a","tags":[]}',
    '{"event":"run"}', '{"event":"metrics","step":"1","time":1,"values":{}}', '{"event":"metrics","step":1,"time":1}',
    '{"event":"evaluation","step":1,"time":1,"values":3}', '{"event":"finish"}', "[" * 100_000,
])  # fmt: skip
def test_what_is_no_event_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(f'{{"event":"a"}}\n{line}\n{{"event":"b"}}\n')
    assert [event["event"] for event in read_journal(path)] == ["a", "b"]


def test_a_new_journal_replaces_the_old(tmp_path: Path) -> None:
    for name in ("first", "second"):
        writer = JournalWriter(tmp_path / "journal.jsonl")
        writer.event(name)
        writer.close()
    assert [event["event"] for event in read_journal(writer.path)] == ["second"]


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.jsonl")
    writer.metrics(1, KEYS, (math.nan, math.inf))
    (event,) = read_journal(writer.path)
    assert math.isnan(event["values"]["train/loss"])
    assert event["values"]["schedule/learn_rate"] == math.inf


@given(st.dictionaries(st.text().map("dev/{}".format), st.floats(allow_nan=False), min_size=1, max_size=5))
def test_any_key_and_number_comes_back_with_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, values: dict
) -> None:
    writer = JournalWriter(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    writer.metrics(7, tuple(values), values.values())
    (event,) = read_journal(writer.path)
    writer.close()
    assert event["values"] == values


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match="cannot write"):
        JournalWriter(tmp_path / "file" / "journal.jsonl")


def test_flatten() -> None:
    config = {"a": {"b": {"c": 1}, "d": [1, "x"]}, "e": None, "f": True, "g": "text", "h": {}}
    assert flatten(config) == {"a.b.c": "1", "a.d": '[1, "x"]', "e": "null", "f": "true", "g": "text", "h": "{}"}


def test_per_type_rows_put_the_frequent_first() -> None:
    rows = per_type_rows(9, {"ner": {"LOC": {"f": 0.5, "support": 1}, "PER": {"f": 0.25, "support": 2}}})
    assert [(row["step"], row["component"], row["type"], row["f"]) for row in rows] == [
        (9, "ner", "PER", 0.25),
        (9, "ner", "LOC", 0.5),
    ]
    assert json.dumps(rows)


def test_a_type_without_gold_keeps_its_row_and_has_no_numbers() -> None:
    absent = {"p": None, "r": None, "f": None, "support": 0}
    rows = per_type_rows(2, {"ner": {"ORG": absent, "LOC": {"p": 1.0, "r": 0.5, "f": 2 / 3, "support": 2}}})
    assert [row["type"] for row in rows] == ["LOC", "ORG"]
    assert rows[1] == {"step": 2, "component": "ner", "type": "ORG", **absent}


@pytest.mark.parametrize("key", ["%s", "train/%", "50%%d", "\0", '"'])
def test_a_key_is_no_format(tmp_path, key):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter(path)
    writer.metrics(1, (key, "b"), [0.5, 1.0])
    writer.close()
    assert json.loads(path.read_text().splitlines()[-1])["values"] == {key: 0.5, "b": 1.0}
