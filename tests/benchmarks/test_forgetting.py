"""`python -m benchmarks forgetting`: labels one after the other, on data of six sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.forgetting import genres, labels, new_type
from benchmarks.forgetting.command import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    records = []
    for name in ("Ann", "Bob", "Eve"):
        for place in ("Rome", "Oslo"):
            text = f"{name} went to {place} ."
            start = text.index(place)
            entities = [[0, len(name), "PER"], [start, start + len(place), "LOC"]]
            records.append({"text": text, "words": text.split(), "entities": entities})
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf8")
    return tmp_path


def test_the_first_label_is_forgotten_unless_the_run_says_what_the_data_annotate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "labels",
        "--data",
        str(data),
        "--folder",
        str(tmp_path / "out"),
        "--orders",
        "PER,LOC",
        "--seeds",
        "0",
        "--set",
    ]
    words += [
        "training.max_epochs=8",
        "tok2vec.width=16",
        "tok2vec.depth=1",
        "optimizer.learn_rate=0.01",
        "training.errors=false",
    ]
    assert main([*words, "dropout=constant", "dropout.value=0"]) == 0
    lines = {line.split("|")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")}
    assert lines["finetune"].rstrip(" |").endswith("→ 0.0")
    for way in ("partial", "itself", "labels", "both"):
        assert float(lines[way].split("→")[1].strip(" |")) > 60
    assert main([*words, "dropout=constant"]) == 0  # nothing is trained again
    assert capsys.readouterr().err == ""


def test_means_go_over_chains_and_labels_that_were_lost_count_as_zero() -> None:
    def step(labels: str, **test: float | None) -> dict[str, object]:
        return {"labels": labels.split(","), "dev": {"all": 0.5}, "test": test}

    first = step("PER", all=0.8, PER=0.8)
    records = [
        {"way": "partial", "order": "PER,LOC", "seed": 0, "steps": [first, step("PER,LOC", all=0.6, PER=0.7, LOC=0.5)]},
        {
            "way": "partial",
            "order": "PER,LOC",
            "seed": 1,
            "steps": [first, step("PER,LOC", all=0.4, PER=None, LOC=0.7)],
        },
    ]
    assert labels.table(records).splitlines()[2] == "| partial | 2 | 50.0 / 50.0 | 35.0 | 60.0 | 80.0 → 35.0 |"


def test_spacy_rehearses_a_chain_of_labels(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("spacy")
    words = ["labels", "--data", str(data), "--folder", str(tmp_path / "out"), "--orders", "PER,LOC", "--seeds", "0"]
    assert main([*words, "--ways", "spacy"]) == 0
    line = capsys.readouterr().out.splitlines()[2]
    assert line.startswith("| spacy | 1 |")


def test_changes_are_means_over_seeds_with_intervals() -> None:
    def one(seed: int, after: float) -> dict[str, object]:
        before = {"old_dev": 0.9, "old_test": 0.9, "new_dev": 0.8, "new_test": 0.8}
        scores = {"old_dev": after, "old_test": 0.89, "new_dev": 0.85, "new_test": 0.84}
        return {"seed": seed, "update": "", "before": before, "after": scores}

    some = [{**one(0, 0.898), "genre": "email", "way": "texts"}, {**one(1, 0.896), "genre": "email", "way": "texts"}]
    lines = genres.table(some).splitlines()
    assert lines[2] == "| email | texts | 2 | -0.30 ± 1.27 | -1.00 ± 0.00 | 5.00 ± 0.00 | 4.00 ± 0.00 |"
    assert lines[3].startswith("Before email, dev / test: old genres 90.00 ± 0.00 / 90.00 ± 0.00")
    more = [{**record, "label": "product", "way": "itself", "size": 30, "without": 300} for record in some]
    assert (
        new_type.table(more).splitlines()[2].startswith("| product | 30 | itself | 2 | -0.3 ± 1.3 | -1.0 ± 0.0 | 85.0")
    )
