"""What the config room does must not depend on the rooms after it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _stand_ins(stand_ins: None) -> None:
    pass
