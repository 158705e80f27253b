"""What a notebook shows of docs and spans: the whole text, each annotation, and nothing that the text could smuggle in."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.corpus.doc import Doc
from runner.foreign import shown
from runner.notebook.tree import Arc, tree

TAGS = {"div", "mark", "b", "br", "span", "svg", "path", "text", "table", "tbody", "tr", "th", "td"}
ATTRIBUTES = {
    "style", "title", "dir", "role", "aria-label", "aria-hidden", "tabindex", "width", "height", "viewbox", "d", "fill",
    "stroke", "stroke-opacity", "x", "y", "font-size", "text-anchor", "scope",
}  # fmt: skip


class Parsed(HTMLParser):
    """Elements with their attributes, the text in all, and the text in each `mark`."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def drawn(doc: Any) -> Parsed:
    parsed = Parsed(doc._repr_html_())
    assert parsed.open == []
    return parsed


def test_entities_are_marked_where_they_stand():
    doc = Doc(["Ada", "met", "Bo", "."], [True, True, False, False], ents=[(0, 1, "PER"), (2, 3, "PER")])
    doc.ents[0].confidence = 0.931
    page = drawn(doc)
    assert page.text == "AdaPER met BoPER."
    marks = [attributes for tag, attributes in page.elements if tag == "mark"]
    assert [mark.get("title") for mark in marks] == ["93.1 % sure", None]
    assert marks[0]["style"] == marks[1]["style"]  # one label, one colour


def test_white_space_stays():
    text = "  Ada\n\n\tslept  "
    assert drawn(Doc(["Ada", "slept"], text=text, ents=[])).text == text


def test_a_tree_has_an_arc_for_each_word_and_its_tags():
    doc = Doc(["Ada", "sleeps"], heads=[1, 1], deps=["nsubj", "root"], tags=["NNP", "VBZ"])
    source = doc._repr_html_()
    texts = re.findall(r"<text[^>]*>(.*?)</text>", source)
    assert texts == ["nsubj", "root", "Ada", "NNP", "sleeps", "VBZ"]
    assert source.count("<path") == 2


def test_sentences_are_trees_of_their_own():
    doc = Doc(
        ["a", "b"] * 5, heads=[i - i % 2 for i in range(10)], deps=["root", "dep"] * 5, sent_starts=[True, False] * 5
    )
    source = doc._repr_html_()
    assert source.count("<svg") == 3
    assert "the trees of 3 of 5 sentences" in source


def test_arcs_lie_above_those_that_they_span():
    picture = tree(["a", "b", "c"], [Arc(2, 0, "far"), Arc(1, 1, "root"), Arc(1, 2, "near")])
    heights = {text: float(y) for y, text in re.findall(r'<text x="[^"]*" y="([^"]*)"[^>]*>([^<]*)</text>', picture)}
    assert heights["root"] < heights["far"] < heights["near"] < heights["a"]


def test_words_from_right_to_left_stand_so():
    def places(words: list[str]) -> list[float]:
        found = re.findall(r'<text x="([^"]*)"[^>]*font-size="13"', tree(words, []))
        return [float(x) for x in found]

    assert places(["a", "b"]) == sorted(places(["a", "b"]))
    assert places(["هذا", "نص"]) == sorted(places(["هذا", "نص"]), reverse=True)


def test_wide_letters_have_room():
    def width(picture: str) -> float:
        return float(re.search(r'<svg width="([\d.]+)"', picture)[1])

    assert width(tree(["日本"], [])) == width(tree(["abcd"], []))


def test_tags_without_a_tree_stand_below_their_words():
    assert drawn(Doc(["Ada", "slept"], tags=["NNP", None])).text == "Ada sleptAdaNNP slept·"


def test_categories_are_bars_the_most_probable_first():
    page = drawn(Doc(["x"], cats={"bad": 0.25, "good": 0.75}))
    assert page.text == "xgood75.0 %bad25.0 %"
    widths = [a["style"].split(";")[0] for _, a in page.elements if a.get("style", "").startswith("width:")]
    assert widths == ["width:75.0%", "width:25.0%"]


def test_many_categories_are_cut_with_a_note():
    assert drawn(Doc(["x"], cats={f"c{i}": i / 30 for i in range(30)})).text.endswith(
        "10 less probable categories are left out"
    )


def test_a_long_doc_is_cut_with_a_note():
    doc = Doc(["word"] * 25_000, ents=[(i, i + 1, "X") for i in range(0, 25_000, 2)])
    source = doc._repr_html_()
    assert "cut after 2,999 of 124,999 characters" in source
    assert len(source) < 100_000


def test_one_huge_word_is_cut():
    assert len(Doc(["x" * 100_000], ents=[(0, 1, "X")])._repr_html_()) < 10_000


def test_a_span_is_shown_in_its_surroundings():
    doc = Doc([f"w{i}" for i in range(100)], ents=[(50, 52, "X")])
    text = drawn(doc.ents[0]).text
    assert (
        text
        == "… "
        + " ".join(f"w{i}" for i in range(35, 50))
        + " w50 w51X "
        + " ".join(f"w{i}" for i in range(52, 67))
        + " …"
    )
    assert drawn(doc[3:3]).text.startswith("w0 ")


@pytest.mark.parametrize(
    "doc", [Doc([]), Doc([], text="  "), Doc(["a"]), Doc(["a"], heads=[None]), Doc(["a"], cats={})]
)
def test_docs_without_much(doc):
    assert drawn(doc).text.strip() in ("", "a", "aa")


EVIL = st.text("<>&\"'=/ \u202e\x1baé\u05d0日;{}", min_size=1, max_size=8)
WORDS = st.lists(EVIL.filter(lambda word: not word.isspace()).map(str.strip).filter(bool), min_size=1, max_size=6)


@given(WORDS, EVIL, st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_in_a_text_or_a_label_becomes_markup(words, label, data):
    n = len(words)
    heads = data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))
    start = data.draw(st.integers(0, n - 1))
    doc = Doc(words, ents=[(start, n, label)], heads=heads, deps=[label] * n, tags=[label] * n, cats={label: 0.5})
    for one in (doc, doc.ents[0]):
        source = one._repr_html_()
        page = drawn(one)
        assert {tag for tag, _ in page.elements} <= TAGS
        assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
        assert all("url(" not in attributes.get("style", "") for _, attributes in page.elements)
        assert "\x1b" not in source
        assert "\u202e" not in source
        assert "".join(shown(label).split()) in "".join(page.text.split())
        ET.fromstring(source.replace("<br>", "<br/>"))  # well-formed
    shown_text = shown(doc.text[: doc.ents[0].start_char])
    assert drawn(doc).text.startswith(shown_text)
    assert html.escape(shown(words[0])) in doc._repr_html_()
