"""Pictures of a sweep: where values lie, and that files come out."""

from __future__ import annotations

from pathlib import Path

from runner.launch.pictures import draw, places
from runner.launch.results import Outcome, Planned


def test_numbers_in_proportion_words_at_even_distances():
    assert places(["0", "10", "2.5"])[0] == [0.0, 1.0, 0.25]
    assert places(["sgd", "adam", "radam"]) == ([1.0, 0.0, 0.5], [(0.0, "adam"), (0.5, "radam"), (1.0, "sgd")])
    assert places(["7", "7"])[0] == [0.0, 0.0]


def test_two_png_files(tmp_path):
    outcomes = [
        Outcome(Planned(i, [f"optimizer={o}", "seed=1"], ""), "FINISHED", Path("x"), score=s)
        for i, (o, s) in enumerate((("adam", 0.5), ("sgd", 0.25)))
    ]
    paths = draw(outcomes, tmp_path)
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * 2
    assert draw(outcomes[:1], tmp_path) == []
