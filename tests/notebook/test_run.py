"""Results of runs and sweeps as HTML."""

from __future__ import annotations

from runner.notebook.run import run_html, sweep_html


def test_a_run_with_its_scores_in_percent_and_nothing_unescaped():
    html = run_html("finished <1>", [("folder", "a&b")], {"ents_f": 0.12345, "none": None}, {"ents_f": None, "x": 1.0})
    assert "finished &lt;1&gt;" in html
    assert "a&amp;b" in html
    assert "12.35" in html or "12.34" in html
    assert html.count("<tr>") == 3  # heading, ents_f, x: what has no gold on dev is no row
    assert html.count("–") == 2
    assert "<script" not in html


def test_a_sweep_with_its_best_run_in_bold():
    html = sweep_html("grid", [["job", "score"], ["0", "1.00"], ["1", "2.00"]], best=1)
    assert html.count("font-weight:600") == 2
    assert html.index("font-weight:600") > html.index("1.00")
    many = sweep_html("grid", [["job"], *([str(i)] for i in range(250))], best=None)
    assert "and 50 more; frame() has all" in many
    assert "<table" not in sweep_html("grid", [], None)
