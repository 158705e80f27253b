"""Arrays in a file: what goes in comes out in few bytes, and a damaged file is known as one."""

import os

import numpy as np
import pytest

from runner.corpus.packed import arrays
from runner.corpus.packed.arrays import Arrays, ArrayWriter, DamagedArrays
from runner.errors import RunFailed


def write(path):
    with ArrayWriter(path.parent) as writer:
        small, large, floats = writer.column("small", "I"), writer.column("large", "Q"), writer.column("floats", "d")
        raw, _ = writer.column("raw", "B"), writer.column("none", "I")
        small.extend([0, 255])
        large.append(2**40)
        floats.extend([0.5, float("inf")])
        raw.write(b"abc")
        small.pad(4)
        writer.finish(path, {"what": "a test"})


def test_round_trip_in_as_few_bytes_as_the_largest_needs(tmp_path):
    write(tmp_path / "a")
    found = Arrays(tmp_path / "a")
    assert found.about == {"what": "a test"}
    assert (found["small"][:].tolist(), found["small"].dtype) == ([0, 255, 0, 0], np.uint8)
    assert (found["large"][:].tolist(), found["large"].dtype) == ([2**40], np.uint64)
    assert found["floats"][:].tolist() == [0.5, float("inf")]
    assert found["raw"][:].tobytes() == b"abc"
    assert found["none"][:].tolist() == []
    assert "none" in found
    assert "other" not in found
    assert os.listdir(tmp_path) == ["a"]


def test_columns_longer_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_CHUNK", 64)
    with ArrayWriter(tmp_path) as writer:
        column = writer.column("x", "I")
        for i in range(100):
            column.append(i * i)
        column.pad(150)
        assert len(column) == 150
        writer.finish(tmp_path / "a", {})
    assert Arrays(tmp_path / "a")["x"][:].tolist() == [i * i for i in range(100)] + [0] * 50


def test_every_cut_and_every_flipped_byte_of_an_array_is_found(tmp_path):
    path = tmp_path / "a"
    write(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedArrays):
            Arrays(path)
    padding = set(range(16, len(whole))) - {
        i for name in ("small", "large", "floats", "raw") for i in _bytes_of(whole, path, name)
    }
    footer = whole.index(b'{"arrays"')
    for i in range(len(whole)):
        if i < 16 or (i in padding and i < footer):  # the first magic, and what aligns arrays
            continue
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        with pytest.raises(DamagedArrays):
            Arrays(path)


def _bytes_of(whole, path, name):
    path.write_bytes(whole)
    content = Arrays(path)[name][:].tobytes()
    start = whole.index(content, 16)
    return range(start, start + len(content))


@pytest.mark.parametrize("content", [b"", b"x", b"runner.arrays.1\n" * 4])
def test_other_files_are_damaged_ones(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DamagedArrays):
        Arrays(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        Arrays(tmp_path / "b")


def test_what_is_not_finished_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), ArrayWriter(tmp_path) as writer:
        writer.column("x", "I").extend([1])
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_replaced_stays_readable_for_who_has_it_open(tmp_path):
    write(tmp_path / "a")
    first = Arrays(tmp_path / "a")
    write(tmp_path / "a")
    assert first["large"][:].tolist() == Arrays(tmp_path / "a")["large"][:].tolist() == [2**40]


def test_a_file_that_is_cut_off_while_it_is_open_is_an_error(tmp_path):
    path = tmp_path / "a"
    write(path)
    opened = Arrays(path)
    os.truncate(path, 20)
    for read in (lambda: opened["large"][:], lambda: opened["small"].numbers(0, 4)):
        with pytest.raises(RunFailed) as caught:
            read()
        assert str(caught.value) == (
            f"{path}: the packed data is shorter than when it was opened: another program has cut it off\n"
            "  Start again; the data is packed anew."
        )


def test_elements_and_slices_are_numpys(tmp_path):
    write(tmp_path / "a")
    small, like = Arrays(tmp_path / "a")["small"], np.array([0, 255, 0, 0], "uint8")
    assert (len(small), small[1], small[-3]) == (4, 255, 255)
    for part in (slice(None), slice(1, 3), slice(2, 1), slice(-3, None), slice(1, 99, 2), slice(9, 12)):
        assert small[part].tolist() == like[part].tolist()
    assert small.numbers(1, 4) == [255, 0, 0]
    assert Arrays(tmp_path / "a")["large"].numbers(0, 1) == [2**40]
    with pytest.raises(IndexError):
        small[4]
