"""Decision thresholds: answers worked by hand, and held against the component's own scores."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner.components.textcat_scores import cats, cats_decisions
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.inspect.thresholds import MAX_CANDIDATES, best_by_label, best_for_all, candidates


def examples(gold, predicted):
    """Examples of label → value, gold beside predicted."""
    return [
        Example(Doc(["a"], cats=guess), Doc(["a"], cats=truth)) for truth, guess in zip(gold, predicted, strict=True)
    ]


def of_a_label(values, is_gold):
    return examples([{"A": float(one)} for one in is_gold], [{"A": value} for value in values])


def test_the_best_threshold_of_one_label_by_hand():
    """From .35 down all three texts of A are found, with one that is not: p = 3/4, r = 1, f = 6/7."""
    some = of_a_label([0.9, 0.4, 0.38, 0.3, 0.1], [1, 0, 1, 1, 0])
    (choice,) = best_by_label(cats_decisions(some, exclusive=False, threshold=None))
    assert (choice.label, choice.n_gold) == ("A", 3)
    assert (choice.before.threshold, choice.before.p, choice.before.r) == (0.5, 1.0, pytest.approx(1 / 3))
    assert choice.best.threshold == pytest.approx(0.2)
    assert (choice.best.p, choice.best.r, choice.best.f) == (0.75, 1.0, pytest.approx(6 / 7))
    assert choice.best in choice.curve
    assert [point.threshold for point in choice.curve] == sorted({i / 10 for i in range(11)} | {choice.best.threshold})


def test_nothing_moves_without_gain():
    some = of_a_label([0.9, 0.8, 0.2], [1, 1, 0])
    decisions = cats_decisions(some, exclusive=False, threshold=None)
    assert best_for_all(decisions).best.threshold == 0.5
    assert best_by_label(decisions)[0].best.threshold == 0.5
    nothing = of_a_label([0.9, 0.8], [0, 0])
    assert best_by_label(cats_decisions(nothing, exclusive=False, threshold=0.3))[0].best.threshold == 0.3


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_is_promised_is_what_the_component_then_scores(exclusive):
    rng = np.random.default_rng(3)
    P = rng.dirichlet([1, 1, 1], 60) if exclusive else rng.random((60, 3))
    truth = [int((p + rng.normal(0, 0.3, 3)).argmax()) for p in P]
    gold = [{label: float(i == right) for i, label in enumerate("ABC")} for right in truth]
    if not exclusive:
        for one in gold[:9]:
            del one["B"]  # not annotated
    some = examples(gold, [dict(zip("ABC", p, strict=True)) for p in P.tolist()])
    decisions = cats_decisions(some, exclusive=exclusive, threshold=None)
    every = best_for_all(decisions)

    def macro_f(threshold):
        return cats(exclusive=exclusive, threshold=threshold)(some)[0]["cats_macro_f"]

    assert every.before.f == pytest.approx(macro_f(None))
    assert every.best.f == pytest.approx(macro_f(every.best.threshold))
    assert every.best.f >= max(macro_f(i / 200) for i in range(201)) - 1e-12
    own = best_by_label(decisions)
    scored = cats(exclusive=exclusive, threshold={one.label: one.best.threshold for one in own})(some)[1]
    for one in own:
        assert scored[one.label]["f"] == pytest.approx(one.best.f)
        assert one.best.f >= one.before.f


def test_many_values_give_a_bounded_number_of_candidates():
    tried = candidates(np.linspace(0, 1, 50_000))
    assert len(tried) == MAX_CANDIDATES
    assert tried == sorted(tried)


def test_a_threshold_by_label_is_checked_and_kept(tmp_path):
    nlp = runner.blank("en")
    nlp.add_pipe(
        "textcat", {"exclusive": False, "threshold": {"A": 0.2}, "architecture": {"type": "bag_of_ngrams", "rows": 64}}
    )
    nlp.initialize([("good", {"cats": {"A": 1.0, "B": 0.0}}), ("bad", {"cats": {"A": 0.0, "B": 1.0}})])
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model").get_pipe("textcat").threshold == {"A": 0.2}
    for wrong in ({"A": 2.0}, {"A": "much"}, 1.5):
        with pytest.raises(runner.RunnerError):
            runner.blank("en").add_pipe("textcat", {"threshold": wrong})
