"""Where the files of a corpus are, and what is said when one is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.corpus.locate import locate
from runner.errors import RunnerError


def test_a_file_that_is_missing_among_others_is_told_with_what_the_folder_holds(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"part-{number}.iob").write_text("")
    with pytest.raises(RunnerError) as caught:
        locate(str(tmp_path / "mine.jsonl"), "corpus.train")
    first = ", ".join(f"part-{number}.iob" for number in range(8))
    assert caught.value.hint == f"{tmp_path} holds {first} and 2 more."
