"""`python -m runner debug`: told before it runs. In this process, on small files and models."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main

TINY = (
    "corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "pipeline=ner", "tok2vec=small",
    "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "tracking=none",
)  # fmt: skip

TRAIN: list[dict[str, Any]] = [
    *({"words": ["Ada", "met", f"Lin{i}", "in", "Oslo"], "entities": ["U-PER", "O", "U-PER", "O", "U-LOC"]} for i in range(12)),
    {"words": ["cafÃ©", "Acme"], "entities": ["O", "U-ORG"]},
]  # fmt: skip
DEV: list[dict[str, Any]] = [
    {"words": ["Bo", "left", "Oslo"], "entities": ["U-PERS", "O", "U-LOC"]},
    {"words": ["cafÃ©", "Acme"], "entities": ["O", "U-ORG"]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "train.jsonl", TRAIN)
    write(tmp_path / "dev.jsonl", DEV)
    return tmp_path


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words])
    return code, out.getvalue(), err.getvalue()


def debug(folder: Path, *words: str) -> tuple[int, str, str]:
    return run(folder, "debug", *TINY, *words)


def messages(report: dict[str, Any], level: str) -> list[str]:
    return [f"{f['section']}: {f['message']}" for f in report["findings"] if f["level"] == level]


def test_one_json_object_with_facts_findings_and_an_estimate(folder):
    code, out, err = debug(folder, "--json")
    report = json.loads(out)
    assert (code, err, report["ok"]) == (0, "", True)
    assert report["corpus"]["train"]["n_docs"] == 13
    assert report["corpus"]["train"]["annotations"]["ner"]["labels"] == {"PER": 24, "LOC": 12, "ORG": 1}
    assert messages(report, "warning") == [
        "text: 1 piece of mojibake in train",
        "text: 1 piece of mojibake in dev",
        "text: 1 of 2 (50.0 %) dev texts stand in train too, none of them longer than 5 words",
        "text: 40.0 % of dev's words are not in train",
        "ner: 1 label with fewer than 10 entities in train: ORG 1",
        "ner: 1 label in dev alone: PERS",
    ]
    assert report["chosen"]["batch"] == "30 words"
    estimate = report["estimate"]
    assert estimate["first_epoch_updates"] == 2  # of 30 words
    assert 0 < estimate["first_epoch_seconds"] < 60
    assert estimate["peak_memory"] > 2**24


def test_a_test_set_is_counted_and_held_against_train(folder):
    write(folder / "test.jsonl", [TRAIN[0], {"words": ["Somebody", "met", "Eve"], "entities": ["O", "O", "U-PER"]}])
    _, out, _ = debug(folder, "corpus.test=test.jsonl", "--json")
    report = json.loads(out)
    assert report["corpus"]["test"]["n_docs"] == 2
    assert "text: 1 of 2 (50.0 %) test texts stand in train too, none of them longer than 5 words" in messages(
        report, "warning"
    )
    _, out, _ = debug(folder, "corpus.test=test.jsonl")
    assert out.splitlines()[4].split()[:4] == ["test", "2", "2", "8"]


def test_the_same_for_people_and_nothing_is_left_behind(folder):
    code, out, err = debug(folder)
    assert (code, err) == (0, "")
    assert "no errors, 6 warnings" in out
    assert "train.jsonl:13 'Ã©'" in out
    assert max(map(len, out.splitlines())) <= 130
    assert {path.name for path in folder.iterdir()} == {"train.jsonl", "dev.jsonl"}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["pipeline=tagger"], "tagger: no example in the training data has a label"),
        (
            ["corpus.dev=plain.jsonl"],
            "text: nothing in the dev data tells a good model from a bad one",
        ),
        (["corpus.train=broken.jsonl"], "corpus: the line is not JSON (Expecting value, column 1)"),
        (["corpus.train=none.jsonl"], "corpus: there is no file none.jsonl"),
        (["pipeline.score_weights.tag_acc=1"], "rehearsal: no component gives the score 'tag_acc'"),
    ],
)
def test_what_stops_a_run(folder, words, error):
    write(folder / "plain.jsonl", [{"words": ["Bo", "left"]}])
    (folder / "broken.jsonl").write_text("oops\n", encoding="utf8")
    code, out, err = debug(folder, *words, "--json")
    assert (code, err) == (1, "")
    (found,) = messages(json.loads(out), "error")
    assert found.startswith(error)
    code, out, _ = debug(folder, *words)
    assert code == 1
    assert "1 error" in out


def test_a_wrong_config_is_told_as_ever(folder):
    code, out, err = debug(folder, "optimizer=adamm")
    assert (code, out) == (2, "")
    assert "did you mean 'adam'?" in err
    code, out, err = debug(folder, "optimizer=adamm", "--json")
    assert code == 2
    assert "did you mean 'adam'?" in json.loads(out)["error"]["message"]


def test_help_and_options_that_it_does_not_take(folder):
    assert run(folder, "debug", "--help")[0] == 0
    assert run(folder, "debug", "--cfg", "job")[0] == 2


def test_no_terminal_of_its_own_marks(folder, monkeypatch):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="latin-1", errors="replace")
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        assert main(["debug", *TINY]) == 0
    out.flush()
    assert b"  ! 1 label in dev alone: PERS" in raw.getvalue()


class TestMultirun:
    def test_every_job_and_why_the_broken_ones_are(self, folder):
        code, out, err = debug(folder, "-m", "dropout.stop=0.1,0.2", "optimizer.learn_rate=0.001,-1", "--json")
        report = json.loads(out)
        assert (code, err, report["ok"]) == (1, "", False)
        assert [row["overrides"][-2:] for row in report["jobs"]] == [
            [f"dropout.stop={stop}", f"optimizer.learn_rate={rate}"] for stop in (0.1, 0.2) for rate in ("0.001", "-1")
        ]
        assert [row["error"] is None for row in report["jobs"]] == [True, False, True, False]
        assert "learn_rate is -1" in report["jobs"][1]["error"]["message"]

    def test_reads_the_data_of_each_job(self, folder):
        code, out, _ = debug(folder, "-m", "pipeline=ner,tagger")
        assert code == 1
        assert "no example in the training data has a label for 'tagger'" in out
        assert "2 jobs, 1 of them broken" in out

    def test_interpolations_of_the_job_are_known(self, folder):
        code, out, err = debug(folder, "-m", "seed='${hydra:job.num}'", "tok2vec.depth=1,2")
        assert (code, err) == (0, ""), out

    def test_a_sweep_named_in_the_config(self, folder):
        (folder / "mine" / "experiment").mkdir(parents=True)
        text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,1,2'}}}\n"
        (folder / "mine" / "experiment" / "seeds.yaml").write_text(text, encoding="utf8")
        code, out, err = debug(folder, "--config-dir", "mine", "experiment=seeds")
        assert (code, err) == (0, ""), out
        assert "3 jobs, none of them broken" in out


class TestBeforeJob0:
    def test_a_bad_value_in_the_last_job_starts_nothing(self, folder):
        words = ("-m", "training.max_epochs=1", "dropout.start=0.1,0.2,1.5", "seed=0,1")
        code, out, err = run(folder, *TINY, *words)
        assert code == 2
        assert out == ""
        lines = err.splitlines()
        assert lines[0] == "2 of 6 jobs cannot run, and none was started:"
        assert lines[1].startswith("  job 4 (")
        assert "dropout" in lines[1]
        assert len(lines) == 3
        assert not list(folder.glob("outputs/*"))

    @pytest.mark.parametrize(
        ("word", "next_move"),
        [
            ("lr=0.1,0.2", "Write optimizer.learn_rate=0.1,0.2."),
            ("dropout=0.1,0.2", "Write dropout=constant dropout.value=0.1,0.2."),
            ("max_epochs=1,2", "Write training.max_epochs=1,2. `python -m runner --cfg job` prints every key."),
        ],
    )
    def test_the_next_move_of_all_jobs_is_the_words_of_the_whole_sweep(self, folder, word, next_move):
        code, _, err = run(folder, "-m", word, "seed=0,1")
        assert code == 2
        assert len(err.splitlines()) == 6
        assert err.splitlines()[-1] == f"  {next_move}"

    def test_a_score_that_no_component_gives(self, folder):
        code, _, err = run(folder, *TINY, "-m", "pipeline.score_weights.tag_acc=1", "seed=0,1")
        assert code == 2
        assert err.startswith("pipeline.score_weights: no component gives the score 'tag_acc'")  # of all jobs alike

    @pytest.mark.slow
    def test_good_jobs_run(self, folder):
        words = ("-m", "training.max_epochs=1", "seed=0,1", "output_dir=out")
        code, _, err = run(folder, *TINY, *words)
        assert (code, err) == (0, "")
        assert (folder / "out" / "1" / "summary.json").is_file()


def test_a_misspelt_key_and_what_was_read_on_a_guess_are_told_by_debug_and_by_the_run(folder):
    write(folder / "train.jsonl", [*TRAIN, {"words": ["Bo"], "entites": ["U-PER"]}])
    write(folder / "dev.jsonl", [{"tokens": ["Bo", "left"], "ner_tags": ["B-PER", "O"]}])
    code, out, err = debug(folder, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert "text: key 'entites', did you mean 'entities'? (1 of 14 lines)" in messages(report, "warning")
    assert "text: dev.jsonl:1: 1 record has its entities in 'ner_tags'" in messages(report, "note")
    code, out, err = run(folder, *TINY, "training.max_steps=1", "output_dir=out")
    assert (code, err) == (0, "")
    assert "warning: train.jsonl:14: key 'entites', did you mean 'entities'? (1 of 14 lines)\n" in out
    assert "note: dev.jsonl:1: 1 record has its entities in 'ner_tags'\n" in out


def test_labels_that_differ_in_a_blank_or_in_case_are_told_apart(folder):
    rows = [{"text": "Ann sleeps", "entities": [[0, 3, label]]} for label in ("PER ", "PER", "per")]
    write(folder / "train.jsonl", rows)
    write(folder / "dev.jsonl", rows[1:2])
    code, out, _ = debug(folder)
    assert code == 0
    assert "labels that differ in blanks or case alone: 'PER ' and 'PER' and 'per'" in out
    assert "labels that begin or end with a blank: 'PER '" in out
    assert "\n  'PER '   " in out


@pytest.mark.parametrize(
    ("text", "language"),
    [("私は東京に住んでいます。", "Japanese"), ("我住在北京很久了。", "Chinese"), ("ฉันรักกรุงเทพมาก", "Thai")],
)
def test_text_without_spaces_is_the_tokenizers_matter_and_the_advice_works(folder, text, language):
    pytest.importorskip("spacy")
    write(folder / "train.jsonl", [{"text": text, "entities": [[2, 4, "LOC"]]}] * 2)
    write(folder / "dev.jsonl", [{"text": "Bo", "entities": []}])
    for more in ((), ("pipeline.tokenizer.type=spacy",)):
        code, out, _ = debug(folder, "--json", *more)
        report = json.loads(out)
        assert code == 1
        (error,) = messages(report, "error")
        assert error.endswith(
            f"2 entities of the training data do not fit the tokens: the tokenizer does not split {language}"
        )
    code, _, err = run(folder, *TINY, "output_dir=out")
    assert code == 2
    assert f"the tokenizer does not split {language}" in err
    (advice,) = (f["hint"] for f in report["findings"] if f["level"] == "error")
    code, out, _ = debug(folder, "--json", *advice.split()[:2])
    assert "labels" in json.loads(out)["config"]["components"]["ner"]
    assert json.loads(out)["config"]["components"]["ner"]["labels"] == ["LOC"]


def test_keys_that_were_not_read_are_named_where_there_are_no_labels(folder):
    rows = [{"text": "good film", "klass": "pos"}]
    write(folder / "train.jsonl", rows)
    write(folder / "dev.jsonl", rows)
    code, out, _ = debug(folder, "pipeline=textcat_bow", "--json")
    assert code == 1
    (hint,) = (f["hint"] for f in json.loads(out)["findings"] if f["level"] == "error")
    assert "The data's keys 'klass' are not read" in hint
