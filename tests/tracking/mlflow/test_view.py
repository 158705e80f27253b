"""The prepared views: every run adds the columns of its components."""

import pytest

from runner.tracking.mlflow.view import BEST_FIRST, SWEEPS, _packed, _unpacked, view_tags

pytestmark = pytest.mark.mlflow

TAG = "mlflow.sharedViewState."


def columns(tags, view=BEST_FIRST):
    return _unpacked(tags[TAG + view])["selectedColumns"]


def test_a_run_adds_its_scores_once_and_keeps_those_of_others():
    first = view_tags(["dev/ents_f"])
    second = view_tags(["dev/tag_acc", "dev/ents_f"], first)
    keys = ("dev/best_score", "dev/ents_f", "dev/tag_acc", "train/best_epoch")
    assert columns(second)[:4] == [f"metrics.`{key}`" for key in keys]
    assert columns(second, SWEEPS)[0] == "metrics.`sweep/best_score`"
    assert view_tags([], second) == second


def test_the_view_of_an_older_version_keeps_its_columns_behind_the_new_ones():
    old = {"selectedColumns": ["metrics.`best_score`", "metrics.`ents_f`", "params.`seed`", "params.`mine`"]}
    now = columns(view_tags(["dev/ents_f"], {TAG + BEST_FIRST: _packed(old)}))
    assert now[:2] == ["metrics.`dev/best_score`", "metrics.`dev/ents_f`"]
    assert now[-3:] == ["metrics.`best_score`", "metrics.`ents_f`", "params.`mine`"]


def test_a_tag_that_holds_no_view_is_replaced():
    assert view_tags(["ents_f"], {TAG + BEST_FIRST: "deflate;what?", TAG + SWEEPS: "{}"}) == view_tags(["ents_f"])
