"""What is left where the disk, the permission or the memory ends: those of tests/stress/shortages.py that need no mount."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.commands.test_resume import no_surroundings  # noqa: F401
from tests.stress.shortages import CASES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux has them"),
]


@pytest.mark.parametrize("name", ["file", "memory", "permission"])
def test_an_error_in_few_lines_and_nothing_lost(name, tmp_path):
    if name == "permission" and shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv, without which root may write everywhere")
    CASES[name](tmp_path)
