"""The prepared views: every run adds the columns of its components."""

import pytest

from runner.tracking.mlflow.view import BEST_FIRST, SWEEPS, _unpacked, view_tags

pytestmark = pytest.mark.mlflow

TAG = "mlflow.sharedViewState."


def columns(tags, view=BEST_FIRST):
    return _unpacked(tags[TAG + view])["selectedColumns"]


def test_a_run_adds_its_scores_once_and_keeps_those_of_others():
    first = view_tags(["ents_f"])
    second = view_tags(["tag_acc", "ents_f"], first)
    assert columns(second)[:4] == [f"metrics.`{key}`" for key in ("best_score", "ents_f", "tag_acc", "best_epoch")]
    assert columns(second, SWEEPS)[0] == "metrics.`sweep_best_score`"
    assert view_tags([], second) == second


def test_a_tag_that_holds_no_view_is_replaced():
    assert view_tags(["ents_f"], {TAG + BEST_FIRST: "deflate;what?", TAG + SWEEPS: "{}"}) == view_tags(["ents_f"])
