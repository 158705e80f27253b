"""What README and docs say a command prints is what it prints, wherever that does not hang on the machine.

Speeds, losses and the name of the folder differ from machine to machine; scores in their last digits, with the kernel of BLAS.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner import registry
from tests.pages import workshop
from tests.pages.blocks import ROOT, blocks, commands_of


def steady(line: str) -> str:
    """A printed line without what differs from machine to machine; of a row of the table, its epoch and step."""
    row = re.match(r" +(\d+) +([\d,]+) +[\d.,]+ ", line)
    if row is not None:
        return f"{row[1]} {row[2].replace(',', '')}"
    line = re.sub(r"outputs/(\d{4}-\d\d-\d\d/[\w-]+|…)", "outputs/…", line)
    line = re.sub(r"^machine .*", "machine …", line)
    return re.sub(r"epoch \d+, score [\d.]+", "epoch …, score …", line).strip()


def best_score(text: str) -> float:
    return float(re.findall(r"score ([\d.]+)", text)[-1])


@pytest.mark.slow
@pytest.mark.mlflow
def test_the_readme_shows_what_its_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, shown = blocks(ROOT / "README.md")[:2]
    words = commands_of(command)[-1].text.split()[3:]
    monkeypatch.chdir(tmp_path)
    code, printed = workshop.run(words)
    assert code == 0, printed
    known = {steady(line) for line in printed.splitlines()}
    lines = [line for line in shown.text.splitlines() if line.strip() not in ("", "…")]
    assert [line for line in lines if steady(line) not in known] == []
    assert abs(best_score(shown.text) - best_score(printed)) < 4
    page = next(block for block in blocks(ROOT / "docs" / "defaults.md") if block.text.startswith("chosen "))
    assert [line for line in page.text.splitlines() if line.strip() and line.strip() not in known] == []


def test_the_readme_counts_the_formats_that_hold_annotation() -> None:
    readers = set(registry.readers.names()) - {"auto", "texts"}
    assert "[nine formats]" in (ROOT / "README.md").read_text(encoding="utf8")
    assert len(readers) == 9, readers
    table = (ROOT / "docs" / "data.md").read_text(encoding="utf8")
    assert [name for name in registry.readers.names() if name != "auto" and f"| `{name}` |" not in table] == []
