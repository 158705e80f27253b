"""Trees and what only looks like one."""

import pytest

from runner.corpus.projective import crossing_arcs, has_cycle


@pytest.mark.parametrize(
    ("heads", "crossed"),
    [
        ([0], 0),
        ([1, 1, 1], 0),
        ([2, 3, 3, 3], 1),  # 0→2 and 1→3
        ([2, 1, 2], 1),  # the root 1 lies under the arc 0→2 of another root
        ([1, 1, 3, 3], 0),  # two trees side by side
        ([None, 1, None], 0),
    ],
)
def test_crossing_arcs(heads, crossed):
    assert crossing_arcs(heads) == crossed


@pytest.mark.parametrize(
    ("heads", "cycle"), [([0, 0, 1], False), ([1, 0], True), ([1, 2, 1, 3], True), ([None, 0], False)]
)
def test_cycles(heads, cycle):
    assert has_cycle(heads) is cycle
