"""docs/extending.md: its files are written into an empty folder and its commands are run there, as they stand on the page."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner
from runner import registry
from runner.__main__ import main

PAGE = (Path(__file__).parent.parent / "docs/extending.md").read_text(encoding="utf8")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"# (\S+\.(?:py|yaml))\n")
KINDS = tuple(registry.KINDS.values())
TAGGED = ("Ada/NNP sleeps/VBZ ./.", "Bo/NNP runs/VBZ ./.", "Rome/NNP waits/VBZ ./.", "rain/NN fell/VBD ./.")


def files() -> dict[str, str]:
    """Each file that the page shows, by its first line."""
    blocks = [text for _, text in _BLOCK.findall(PAGE)]
    return {named[1]: text for text in blocks if (named := _FILE.match(text))}


def commands(file: str) -> list[str]:
    """The commands of the page's section that shows this file."""
    section = next(part for part in re.split(r"^## ", PAGE, flags=re.M) if f"# {file}\n" in part)
    blocks = [text for kind, text in _BLOCK.findall(section) if not kind]
    return [line for text in blocks for line in text.replace("\\\n", " ").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder with the page's files, and a few tagged sentences. What they register is forgotten afterwards."""
    for kind in KINDS:
        kind.names()  # fills it
    known = {kind: dict(kind._factories) for kind in KINDS}
    folder = tmp_path_factory.mktemp("stranger")
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf8")
    (folder / "a.txt").write_text("\n".join(TAGGED * 10), encoding="utf8")
    rows = [[word.split("/") for word in line.split()] for line in TAGGED]
    records = [{"words": [word for word, _ in row], "tags": [tag for _, tag in row]} for row in rows]
    (folder / "dev.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf8")
    (folder / "b.txt").write_text("\n".join(TAGGED), encoding="utf8")
    yield folder
    for kind, factories in known.items():
        kind._factories = factories


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the commands beside a file of the page; what they print."""
    monkeypatch.chdir(folder)

    def run_all(file: str) -> list[str]:
        printed = []
        for line in commands(file):
            words = shlex.split(line)
            assert words[:3] == ["python", "-m", "runner"], line
            trains = not {"convert", "entities", "predict"} & set(words)
            assert main([*words[3:], *(["tracking=none"] if trains and "tracking=none" not in words else [])]) == 0, (
                capsys.readouterr().err
            )
            printed.append(capsys.readouterr().out)
        return printed

    return run_all


@pytest.mark.parametrize("name", files())
def test_each_takes_under_forty_lines(name: str) -> None:
    assert len([line for line in files()[name].splitlines() if line.strip()]) < 40


@pytest.mark.slow
def test_a_schedule(run) -> None:
    (printed,) = run("my_schedule.py")
    assert re.search(r"^ +2 .*", printed, re.M)  # the last epoch
    rate = registry.schedules.get("cosine_tail")(start=0.002, hold_steps=50, fall_steps=100)
    assert [round(rate(step), 6) for step in (0, 50, 100, 150, 900)] == [0.002, 0.002, 0.001, 0, 0]


def test_a_reader(run) -> None:
    converted, trained = run("my_reader.py")
    assert converted.startswith("a.jsonl: 40 docs, 120 words")
    assert re.search(r"-+ Tag -+", trained)
    (example, *_) = runner.read_corpus("a.jsonl")
    assert (example.reference.words, example.reference.tags) == (["Ada", "sleeps", "."], ["NNP", "VBZ", "."])


def test_a_readers_error_names_the_line(run, capsys) -> None:
    Path("faulty.txt").write_text("Ada/NNP\nsleeps\n", encoding="utf8")
    assert main(["code=[my_reader.py]", "convert", "faulty.txt", "-", "--from", "slashed"]) == 2
    assert "faulty.txt:2: a word has no tag\n  Write word/TAG" in capsys.readouterr().err


@pytest.mark.slow
def test_a_component(run) -> None:
    trained, _ = run("my_component.py")
    assert re.search(r"-+ UPOS -+", trained)
    answers = [json.loads(line) for line in Path("answers.jsonl").read_text(encoding="utf8").splitlines()]
    assert [len(answer["pos"]) for answer in answers] == [len(answer["words"]) for answer in answers]
    summary = json.loads(Path("mine/summary.json").read_text(encoding="utf8"))
    assert summary["best"]["scores"]["upos_acc"] > 0.85
    assert runner.load("mine/model-best", code=["my_component.py"])("The cat sleeps .")[0].pos_ == "DET"


@pytest.mark.slow
def test_a_command(run) -> None:
    usage, _, printed = run("my_command.py")
    assert usage == "entities MODEL TEXT…: print the entities of each text.\n"
    assert "('Oslo', 'GPE')" in printed


@pytest.mark.slow
def test_a_tokenizer_writer_augmenter_batcher_and_tracker(run) -> None:
    trained, converted = run("my_others.py")
    scores = [json.loads(line) for line in Path("tagged/scores.jsonl").read_text(encoding="utf8").splitlines()]
    assert [score["step"] for score in scores] == [40, 80]  # 320 texts, 8 at a time
    assert f"{100 * scores[-1]['tag_acc']:.2f}" in trained
    assert converted.startswith("dev.txt: 4 docs")
    assert Path("dev.txt").read_text(encoding="utf8").splitlines() == list(TAGGED)
    assert [word.text for word in runner.load("tagged", code=["my_others.py"])("Well, go.")] == ["Well,", "go."]


def test_a_fault_in_a_component_names_its_line(run, capsys) -> None:
    text = files()["my_component.py"].replace('"upos"', '"faulty"').replace("pair[1]]", "pair[2]]")
    Path("faulty.py").write_text(text, encoding="utf8")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "pair[2]" in one)
    block = "+pipeline.components.upos={type: faulty, tok2vec: ${tok2vec}}"
    words = [
        "code=[faulty.py]",
        "pipeline=tagger",
        "~pipeline.components.tagger",
        "~pipeline.score_weights.tag_acc",
        block,
    ]
    assert main(["debug", *words, "tracking=none"]) == 2
    assert f"faulty.py:{line}: IndexError: tuple index out of range" in capsys.readouterr().err
