"""What a run says before its table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from runner.streams import Line
from runner.tracking.base import DatasetInfo, LearningPart, RunInfo, Trackers
from runner.tracking.head import head_lines

from .conftest import make_run

CHOSEN = {
    "corpus.train": "240 texts of 12 words",
    "training.max_epochs": "15 (1,128 updates)",
    "batch": "54 words",
    "optimizer.learn_rate": "up to 0.002, down to 0",
    "dropout": "0.3",
}


def as_text(lines: list[Line]) -> list[str]:
    return [line if isinstance(line, str) else "".join(piece.text for piece in line) for line in lines]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunInfo:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.tracking.head.processor", lambda: "Z80")
    monkeypatch.setattr("runner.tracking.head.n_cores", lambda: 1)
    return dataclasses.replace(
        make_run(tmp_path / "out", compute={"device": "cpu", "ops": "numba", "threads": 2}),
        parts=[LearningPart("ner", 12_345, ["LOC", "PER"]), LearningPart("tagger", 7, learns=False)],
        places={"MLflow": f"sqlite:///{tmp_path.as_posix()}/mlflow.db"},
        chosen=CHOSEN,
    )


def test_a_run_says_what_is_about_to_happen(run: RunInfo) -> None:
    assert as_text(head_lines(run, 80)) == [
        "corpus      tiny: train 3 texts, 30 words; dev 1 texts, 10 words",
        "ner         12,345 weights; 2 labels: LOC, PER",
        "tagger      7 weights; as it is",
        "chosen      training.max_epochs 15 (1,128 updates); batch 54 words;",
        "            optimizer.learn_rate up to 0.002, down to 0; dropout 0.3",
        "output      out",
        "MLflow      sqlite:///mlflow.db",
        "machine     Z80, 1 core; cpu, numba, 2 threads",
        "",
    ]


def test_the_files_of_a_split_count_together(run: RunInfo) -> None:
    more = DatasetInfo("tiny", "train", "/data/b.iob", "cd" * 32, n_docs=1000, n_words=2970)
    lines = as_text(head_lines(dataclasses.replace(run, datasets=[*run.datasets, more])))
    assert lines[0] == "corpus      tiny: train 1,003 texts, 3,000 words; dev 1 texts, 10 words"


def test_a_job_of_a_sweep_says_only_what_it_chose(run: RunInfo) -> None:
    lines = as_text(head_lines(dataclasses.replace(run, parent="sweep")))
    assert [line[:12].strip() for line in lines] == ["chosen", "", ""]
    assert head_lines(dataclasses.replace(run, parent="sweep", chosen={})) == []


@pytest.mark.parametrize("width", [40, 80, 120, 300, None])
def test_lines_fit_the_terminal(run: RunInfo, width: int | None) -> None:
    many = LearningPart("morphologizer", 10**9, [f"Label{i}=Value" for i in range(700)])
    lines = as_text(head_lines(dataclasses.replace(run, parts=[many]), width, ["losses", "words/s"]))
    assert max(map(len, lines)) <= (width or 80)
    assert "700 labels: Label0=Value," in " ".join(" ".join(lines).split())
    assert lines[-2].split() == ["no", "room", "for", "losses,", "words/s"]


def test_what_could_steer_a_terminal_is_written_out(run: RunInfo) -> None:
    evil = LearningPart("n\x1b[31mer", 1, ["\x1b]0;x\x07"])
    text = "\n".join(as_text(head_lines(dataclasses.replace(run, parts=[evil]))))
    assert "\x1b" not in text
    assert "\\x1b]0;x\\x07" in text


def test_places_are_asked_of_the_trackers_that_have_one(run: RunInfo) -> None:
    seen: list[RunInfo] = []

    class Placed:
        place = ("Mine", "here")

        def start(self, run: RunInfo) -> None:
            seen.append(run)

    class Plain:
        def start(self, run: RunInfo) -> None:
            seen.append(run)

    Trackers([Plain(), Placed()]).start(run)  # type: ignore[list-item]
    assert [one.places for one in seen] == [{"Mine": "here"}] * 2
