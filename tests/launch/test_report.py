"""Tables of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.launch.report import as_markdown, as_text, rows_of_jobs, rows_of_repeats, short, swept, value_of
from runner.launch.results import Outcome, Planned, repeats


def outcomes() -> list[Outcome]:
    words = [["pipeline=ner", f"optimizer={o}", f"dropout.start={d}"] for o in ("adam", "sgd") for d in (0.2, 0.4)]
    scores = [0.5, 0.75, None, 0.25]
    return [
        Outcome(
            Planned(i, w, str(i)), "FAILED" if s is None else "FINISHED", Path("x"), score=s, epoch=i, seconds=1234.5
        )
        for i, (w, s) in enumerate(zip(words, scores, strict=True))
    ]


def test_only_what_differs_is_a_column():
    assert swept(one.job.overrides for one in outcomes()) == ["optimizer", "dropout.start"]
    assert swept([["a=1"]]) == []


def test_names_are_as_short_as_they_can_be_told_apart():
    assert short(["tok2vec.width", "pipeline.components.ner.width", "seed"]) == ["tok2vec.width", "ner.width", "seed"]
    assert short(["+training.max_steps"]) == ["max_steps"]


def test_the_last_word_counts():
    assert value_of(["seed=1", "seed=2"], "seed") == "2"
    assert value_of(["seed=1"], "optimizer") == ""


def test_the_table_of_jobs():
    assert as_text(rows_of_jobs(outcomes())) == [
        "Job  optimizer  start  Score  Epoch  Seconds  Status    Best",
        "-" * 60,
        "  0  adam         0.2  50.00      0  1,234.5  finished",
        "  1  adam         0.4  75.00      1  1,234.5  finished  *",
        "  2  sgd          0.2      -      2  1,234.5  failed",
        "  3  sgd          0.4  25.00      3  1,234.5  finished",
    ]


def test_a_terminal_cuts_texts_and_no_numbers():
    rows = [["Job", "[note]", "Score"], ["0", "a text of thirty characters ok", "50.00"], ["1", "人名の認識器", "7.25"]]
    assert as_text(rows, width=28) == [
        "Job  [note]            Score",
        "-" * 28,
        "  0  a text of thirt…  50.00",
        "  1  人名の認識器       7.25",
    ]


def test_the_table_of_repeats():
    words = [("optimizer=adam", "seed=0"), ("optimizer=adam", "seed=1"), ("optimizer=sgd", "seed=0")]
    found = [
        Outcome(Planned(i, w, str(i)), "FINISHED", Path("x"), score=s)
        for i, (w, s) in enumerate(zip(words, (0.5, 0.52, 0.9), strict=True))
    ]
    assert as_text(rows_of_repeats(repeats(found))) == [
        "optimizer  Seeds   Mean    SD  95 % interval   Best",
        "-" * 51,
        "adam           2  51.00  1.41  38.29 to 63.71",  # t of one degree of freedom: 12.7062 * .01
        "sgd            1  90.00  0.00  -               *",
    ]


def test_markdown_keeps_bars_apart():
    assert as_markdown([["a"], ["x|y"]]) == ["| a |", "| --- |", "| x\\|y |"]


WIDE = [
    [
        "Job",
        "optimizer",
        "components.ner.width",
        "learn_rate",
        "tok2vec",
        "Score",
        "Epoch",
        "Seconds",
        "Status",
        "Best",
    ],
    ["10", "adam", "128", "0.0021", "hash_embed_cnn", "89.12", "14", "1,212.3", "finished", "*"],
    ["11", "radam", "64", "0.002", "hash_embed_cnn_large", "84.12", "4", "12.3", "interrupted at step 1,233", ""],
]


@pytest.mark.parametrize("width", [54, 60, 80, 100, 120, 200])
def test_a_wide_table_fits_the_terminal_and_cuts_no_number(width: int) -> None:
    lines = as_text(WIDE, width)
    assert max(map(len, lines)) <= width
    for row, line in zip(WIDE[1:], lines[2:], strict=True):
        assert {row[0], row[2], row[3], row[5]} <= set(line.split())  # number, values, score
    assert lines[2].endswith("*")
    assert ("Seconds" in lines[0]) == (width >= 80)


def test_wide_letters_are_cut_by_their_places() -> None:
    lines = as_text([["名前", "Score"], ["人名の認識器", "1.00"]], 14)
    assert lines[2] == "人名の…   1.00"
