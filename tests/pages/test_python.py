"""The Python of README and docs runs: the blocks of a page in their order, one after the other in one namespace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import runner
from tests.pages import workshop
from tests.pages.blocks import PAGES, ROOT, blocks

WITH_PYTHON = {
    page.relative_to(ROOT).as_posix(): [block for block in blocks(page) if block.language == "python"] for page in PAGES
}
SMALL = '"training.max_epochs=1", "corpus.limit=20", "training.errors=false"'
IN_PLACE = {
    '"seed=1"]': f'"seed=1", {SMALL}]',
    '"optimizer=adam,radam", "dropout.start=0.2,0.4"': f'"seed=0,1", "hydra/launcher=basic", {SMALL}',
    ', source=spacy.load("en_core_web_sm")': "",  # a package that must be downloaded
    '"model": "mine", "enable": ["tagger"]': '"model": "tagger", "enable": ["tagger"]',  # the reader's own has both
}


def given(folder: Path) -> dict[str, Any]:
    """What the pages take for granted: texts, and two halves of a dev set."""
    dev = list(runner.read_corpus(folder / "dev.jsonl"))
    return {
        "texts": ["Maria Keller flew to Oslo.", "Nothing happened."],
        "dev_first_half": dev[::2],
        "dev_second_half": dev[1::2],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, found in WITH_PYTHON.items() if found])
def test_the_python_of_a_page_runs(name: str, work: Path) -> None:
    names = given(work)
    for block in WITH_PYTHON[name]:
        text = re.sub(r"range\(20\)", "range(2)", block.text)
        for words, others in IN_PLACE.items():
            text = text.replace(words, others)
        exec(compile("\n" * (block.line - 1) + text, name, "exec"), names)


def test_the_files_of_a_page_are_found() -> None:
    found = dict(workshop.code_files(ROOT / "docs" / "extending.md"))
    assert found.keys() >= {"my_reader.py", "my_command.py", "my_configs/pipeline/upos.yaml"}
