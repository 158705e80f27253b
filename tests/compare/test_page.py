"""compare.html: one file that stands alone, whatever the runs are called."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from runner.compare.comparison import compare_runs
from runner.compare.page import page


class Tags(HTMLParser):
    """Open and close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


def test_it_needs_nothing_from_elsewhere_and_runs_nothing(past_run):
    text = page(
        compare_runs([past_run("a", [{"f": [1, 2, 2]}] * 3), past_run("b", [{"f": [0, 2, 2]}] * 3)], rounds=100)
    )
    tags = parsed(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags.seen}
    assert not any({"src", "href", "onload"} & attributes.keys() for _, attributes in tags.seen)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)  # names, which nothing is read from
    assert not re.search(r"url\((?!#)|@import|https?:", text)
    assert text.count("<title>A</title>") == text.count("<title>B</title>") == 2  # lines of scores and of losses
    assert [dict(attributes)["aria-label"] for tag, attributes in tags.seen if "aria-label" in attributes] == [
        "Difference in points, with 95 % interval (blue: significant)", "Score on the dev texts, %", "Loss per word in training",
    ]  # fmt: skip


def test_names_and_values_are_text(past_run):
    evil = "<script>alert(1)</script>"
    a = past_run("a", None, name=evil, params={"x": evil})
    b = past_run("b", None, status="FAILED", name='"><img src=x>', run_id=evil, params={"x": "2", evil: "3"})
    tags = parsed(page(compare_runs([a, b], rounds=10)))
    assert "script" not in {tag for tag, _ in tags.seen}
    assert tags.text.count(evil) == 4


def test_the_best_cells_are_marked(past_run):
    text = page(compare_runs([past_run("a", [{"f": [1, 1, 1]}]), past_run("b", [{"f": [0, 1, 1]}])], rounds=10))
    assert '<tr><th>best score</th><td class="number best">100.00</td><td class="number">0.00</td></tr>' in text


def test_runs_without_curves_have_a_page_without(past_run):
    text = page(compare_runs([past_run("a", None, points=[]), past_run("b", None, points=[])], rounds=10))
    assert "<h2>Curves</h2>" not in text
