"""Operations counted by hand on a tiny model, and the tables of roofline, start and scaling."""

from __future__ import annotations

import os

import pytest

from benchmarks import roofline, scale, startup
from benchmarks.jobs import our_overrides
from runner.config.compose import compose

needs_data = pytest.mark.skipif(
    not os.environ.get("RUNNER_DATA_MIRROR"), reason="RUNNER_DATA_MIRROR names no folder with the data sets"
)


def test_operations_of_a_tiny_tagger():
    # Width 2, 3 pieces, 2 features, window 1, depth 1, 5 tags.
    layout = {
        "t/tok2vec/embed/E": (0, (7, 2)),
        "t/tok2vec/mix/W": (0, (3, 2, 4)),  # 6 x 4, on lexemes
        "t/tok2vec/mix/b": (0, (3, 2)),
        "t/tok2vec/encode1/W": (0, (3, 2, 6)),  # 6 x 6
        "t/tok2vec/encode1/G": (0, (2,)),
        "t/scores/W": (0, (5, 2)),
    }
    found = roofline.products(layout)
    assert [(p.M, p.K, p.is_by_lexeme) for p in found] == [(6, 4, True), (6, 6, False), (5, 2, False)]
    # 3 products of 2 M K: 144, a quarter of it where a lexeme stands for four words; 216; 60.
    assert roofline.flops_per_word(found, 0.25) == 36 + 216 + 60


@needs_data
def test_the_real_model_has_these_products_and_a_share_below_one():
    spec = roofline.spec_of("", limit=150, settings=("tok2vec.width=16", "tok2vec.depth=2"))
    config = compose(our_overrides(spec))
    assert (config.batch["size"]["start"], config.batch["size"]["stop"]) == (1000, 1000)
    record = roofline.measure(spec)
    shapes = {p["path"]: (p["M"], p["K"]) for p in record["products"]}
    n_rows = 16 * config.tok2vec["maxout_pieces"]
    assert shapes["tagger/tok2vec/mix/W"] == (n_rows, 16 * len(config.tok2vec["features"]))
    assert shapes["tagger/tok2vec/encode2/W"] == (n_rows, 48)
    assert 0 < record["share"] < 1
    assert 0 < record["lexemes_per_batch"] < record["words_per_batch"]
    assert record["bound"] == pytest.approx(record["gflops"] * 1e9 / record["flops_per_word"])
    assert roofline.table(record).notes[1].endswith(f"{100 * record['share']:.0f} %")


def test_the_first_update_and_the_share_of_recording_come_from_the_journal():
    def step(time, words, speed):
        return {
            "event": "metrics",
            "time": time,
            "values": {"train/batch_words": words, "speed/words_per_second": speed},
        }

    finish = {"event": "finish", "values": {"speed/tracking_share": 0.005, "speed/seconds": 10.0}}
    events = [{"event": "start", "time": 101_000}, step(102_500, 10, 10.0), step(103_000, 40, 10.0), finish]
    # First step written at 102.5 s; 0.05 s of recording in steps of 1 and 4 s.
    assert startup.read_journal(events, began=100.0) == (2.5, pytest.approx(0.01))

    # The last step was evaluated: its evaluation tells the share.
    evaluation = {"event": "evaluation", "values": {"dev/score": 0.5, "speed/tracking_share": 0.005}}
    finish["values"] = {"speed/seconds": 10.0}
    assert startup.read_journal([*events[:-1], evaluation, finish], began=100.0) == (2.5, pytest.approx(0.01))


def test_startup_has_a_row_a_question():
    turns = {
        "help_ours": [1.0, 1.2, 9.0], "help_bare": [1.0, 0.8, 0.9], "first_update_ours": [3.0],
        "first_update_spacy": [], "tracking_share": [0.004],
    }  # fmt: skip
    table = startup.table({"turns": turns, "machine": {"cpu": "Z80", "cores": 1}})
    assert [row[1:] for row in table.rows] == [["1.20", "0.90", "1.33"], ["3.00", "–", "–"], ["0.40", "–", "–"]]
    assert "median of 3 runs, Z80, 1 core" in table.title


def test_the_exponent_is_the_slope_where_length_decides():
    assert scale.exponent([10, 300, 3000], [5.0, 1.0, 100.0]) == pytest.approx(2.0)
    assert scale.exponent([10, 30], [5.0, 1.0]) is None


def test_growth_is_told_by_what_a_million_words_more_cost():
    corpus = [
        {
            "size": size,
            "words": 200_000 * size,
            "train_words_per_second": 9000.0,
            "cold_start_seconds": s,
            "peak_mb": mb,
        }
        for size, s, mb in ((1, 4.0, 200.0), (4, 10.0, 320.0))
    ]
    lengths = {
        "ner": {"lengths": [300, 3000], "update_seconds": [0.1, 1.0], "predict_seconds": [0.1, 10.0], "peak_mb": 99}
    }
    record = {"corpus": corpus, "lengths": lengths, "trained_words": 5, "machine": {"cpu": "Z80", "cores": 2}}
    by_size, by_length = scale.tables(record)
    assert by_size.notes == []
    assert scale.tables({**record, "settings": ["a=b"]})[0].notes == ["with a=b"]
    # 600,000 words more take 6 s and 120 MB more.
    assert by_size.rows[1] == ["×4", "800,000", "9,000", "10.0", "10.0", "320", "200"]
    assert [row[4] for row in by_length.rows] == ["1.00", "2.00"]
    assert scale.metrics(record)["scale.ner.predict_exponent"] == pytest.approx(2.0)


@needs_data
def test_a_long_doc_has_the_asked_length_and_is_well_formed():
    from benchmarks.ours import Ours

    side = Ours(compose(["pipeline=ner", "corpus=sample", "tracking=none", "tok2vec.width=8", "tok2vec.depth=1"]))
    example = scale.long_example(side.corpus.train, 50)
    assert len(example.reference) == 50
    assert all(ent.end <= 50 for ent in example.reference.ents)
    assert all(head is None or head < 50 for head in example.reference.heads)
    assert example.reference.words[:13] == side.corpus.train[0].reference.words
