"""A folder that holds what the pages name: corpora, texts, configs, trained models. Everything is small."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import runner
from runner import __main__ as program
from runner.corpus.doc import Doc
from tests.pages.blocks import ROOT, blocks

with contextlib.suppress(ImportError):  # registered, as the entry points do it where the project is installed
    from runner.handover import spacy_pipe, spacy_tokenizer  # noqa: F401

SAMPLE = ROOT / "runner" / "corpus" / "sample"
CHEAP = {"training.max_epochs": "1", "corpus.limit": "20", "tracking": "none", "training.errors": "false"}


def make(folder: Path) -> None:
    """Fill the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of formats that have no place for some annotation
        _write_corpora(folder)
    (folder / "my_configs" / "pipeline").mkdir(parents=True)
    mine = (ROOT / "conf" / "pipeline" / "ner.yaml").read_text(encoding="utf8")
    (folder / "my_configs" / "pipeline" / "mine.yaml").write_text(mine, encoding="utf8")
    for name, text in code_files(ROOT / "docs" / "extending.md"):
        (folder / name).write_text(text, encoding="utf8")
    with inside(folder):
        for pipeline, name in (("ner", "mine"), ("ner", "other"), ("tagger", "tagger"), ("textcat_bow", "judge")):
            words = cheap(["corpus=sample", f"pipeline={pipeline}", f"output_dir={name}", "corpus.limit=60"])
            code, told = run(words)
            assert code == 0, told


def _write_corpora(folder: Path) -> None:
    docs = [example.reference for example in runner.read_corpus(SAMPLE / "train.jsonl")]
    few, others = docs[:40], docs[40:60]
    for name in ("train", "more", "places", "all", "names", "raw"):
        runner.write_corpus(folder / f"{name}.jsonl", few)
    for name in ("dev", "test", "old"):
        runner.write_corpus(folder / f"{name}.jsonl", others)
    for name in ("a.iob", "trees.conllu", "train.conllu"):
        runner.write_corpus(folder / name, few)
    for name in ("b.iob", "b.jsonl", "trees_dev.conllu", "dev.jsonl.gz"):
        runner.write_corpus(folder / name, others)
    for name in ("texts.txt", "raw.txt"):
        (folder / name).write_text("\n".join(doc.text for doc in docs[:80]), encoding="utf8")
    (folder / "texts").mkdir()
    (folder / "texts" / "one.txt").write_text("\n".join(doc.text for doc in docs), encoding="utf8")
    for name in ("mails.csv", "mails_dev.csv"):
        _write_mails(folder / name, few)
    (folder / "more.csv").write_text("text\nMaria flew to Oslo.\n", encoding="utf8")
    with gzip.open(folder / "more.jsonl.gz", "wt", encoding="utf8") as file:
        file.write(json.dumps({"text": "Maria flew to Oslo."}) + "\n")
    (folder / "patterns.jsonl").write_text('{"label": "GPE", "pattern": [{"LOWER": "oslo"}]}\n', encoding="utf8")
    for name, part in (("a.txt", few), ("b.txt", others)):  # of the reader in docs/extending.md
        lines = (" ".join(f"{word}/{tag}" for word, tag in zip(doc.words, doc.tags or (), strict=True)) for doc in part)
        (folder / name).write_text("\n".join(lines), encoding="utf8")


def code_files(page: Path) -> Iterator[tuple[str, str]]:
    """The files that a page shows, each under the name in its first line: `# my_reader.py`."""
    for block in blocks(page):
        name = re.match(r"# ([\w/]+\.(?:py|yaml))\n", block.text)
        if block.language in ("python", "yaml") and name is not None:
            yield name[1], block.text


def cheap(words: Sequence[str]) -> list[str]:
    """The words of a training with small sizes wherever they say none."""
    said = {word.lstrip("+~").partition("=")[0] for word in words}
    return [*words, *(f"{key}={value}" for key, value in CHEAP.items() if key not in said)]


def run(words: Sequence[str]) -> tuple[int, str]:
    """Run `python -m runner` with these words in this process; exit code, and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = program.main(list(words))
    return code, printed.getvalue()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The folder as the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _write_mails(path: Path, docs: Sequence[Doc]) -> None:
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for doc in docs:
            writer.writerow((doc.text, max(doc.cats or {}, key=(doc.cats or {}).__getitem__)))
