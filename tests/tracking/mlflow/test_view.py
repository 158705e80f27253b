"""The prepared views: every run adds the columns of its components."""

import pytest

from runner.tracking.mlflow.view import BEST_FIRST, MOST_PARAMS, SWEEPS, _packed, _unpacked, columns_of, view_tags

pytestmark = pytest.mark.mlflow

TAG = "mlflow.sharedViewState."


def columns(tags, view=BEST_FIRST):
    return _unpacked(tags[TAG + view])["selectedColumns"]


def test_a_run_adds_its_scores_once_and_keeps_those_of_others():
    first = view_tags([f"metrics.`{key}`" for key in ("dev/ents_f", "dev/mine")])
    second = view_tags([f"metrics.`{key}`" for key in ("dev/tag_acc", "dev/ents_f")], first)
    assert columns(second)[-3:] == [f"metrics.`{key}`" for key in ("dev/ents_f", "dev/mine", "dev/tag_acc")]
    assert columns(second)[0] == "metrics.`dev/best_score`"
    assert columns(second, SWEEPS)[0] == "metrics.`sweep/best_score`"
    assert view_tags([], second) == second


def test_the_view_of_an_older_version_keeps_its_columns_behind_the_new_ones():
    old = {"selectedColumns": ["metrics.`best_score`", "metrics.`ents_f`", "params.`seed`", "params.`mine`"]}
    tags = view_tags(["metrics.`dev/ents_f`"], {TAG + BEST_FIRST: _packed(old)})
    assert columns(tags)[0] == "metrics.`dev/best_score`"
    assert columns(tags)[-4:] == ["metrics.`best_score`", "metrics.`ents_f`", "params.`mine`", "metrics.`dev/ents_f`"]
    assert _unpacked(tags[TAG + BEST_FIRST])["orderByKey"] == "tags.`rank`"


def test_a_run_adds_the_scores_that_count_and_the_parameters_that_differ():
    params = {"optimizer.type": "sgd", "tok2vec.depth": "2", "corpus.dev": "a.jsonl", "seed": "0"}
    tags = {"overrides": "pipeline=ner corpus.dev=a.jsonl optimizer=sgd tok2vec.depth=2 tracking.uri=sqlite:///a.db"}
    start = {"params": params, "tags": tags, "scores": ["ents_p", "ents_f"], "weighed": ["ents_f"]}
    assert columns_of(start) == ["metrics.`dev/ents_f`", "params.`optimizer.type`", "params.`tok2vec.depth`"]
    assert columns_of({**start, "params": {}, "weighed": []}) == ["metrics.`dev/ents_p`", "metrics.`dev/ents_f`"]
    many = {f"x.k{i}": "1" for i in range(20)}
    wide = {"params": many, "tags": {"overrides": " ".join(f"{key}=1" for key in many)}}
    assert len(columns_of(wide)) == MOST_PARAMS


def test_a_tag_that_holds_no_view_is_replaced():
    assert view_tags(["ents_f"], {TAG + BEST_FIRST: "deflate;what?", TAG + SWEEPS: "{}"}) == view_tags(["ents_f"])
