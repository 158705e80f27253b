"""The error page of each component, opened in headless Chromium: filtered, sorted and read back. One browser serves all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import runner
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.token_layers import set_confidence
from runner.inspect.error_page import page
from runner.inspect.errors import examine

if TYPE_CHECKING:
    from tests.inspect.browser import Browser

EVIL = "<script>window.hacked = 1</script>"

# Gold and predicted annotation of each text, by component.
WORDS = [["Ada", "met", "Bo", "in", "Rome"], ["Bo", "slept"], ["Cy", EVIL, "came"]]
LAYERS: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "ner": [
        ({"ents": [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC")]}, {"ents": [(0, 1, "PER"), (2, 3, "LOC")]}),
        ({"ents": [(0, 1, "PER")]}, {"ents": [(0, 1, "LOC")]}),
        ({"ents": []}, {"ents": [(1, 3, "LOC")]}),
    ],
    "tagger": [
        ({"tags": ["N", "V", "N", "P", "N"]}, {"tags": ["N", "N", "V", "P", "N"]}),
        ({"tags": ["N", "V"]}, {"tags": ["N", "N"]}),
        ({"tags": ["N", "X", "V"]}, {"tags": ["P", "X", "V"]}),
    ],
    "parser": [
        ({"heads": [1, 1, 1, 4, 1], "deps": ["nsubj", "root", "obj", "case", "obl"]},
         {"heads": [1, 1, 1, 2, 1], "deps": ["nsubj", "root", "nsubj", "case", "obl"]}),
        ({"heads": [1, 1], "deps": ["nsubj", "root"]}, {"heads": [1, 1], "deps": ["obj", "root"]}),
        ({"heads": [2, 2, 2], "deps": ["nsubj", "obj", "root"]}, {"heads": [1, 1, 1], "deps": ["nsubj", "root", "obj"]}),
    ],
    "textcat": [
        ({"cats": {"good": 1.0, "bad": 0.0}}, {"cats": {"good": 0.4, "bad": 0.6}}),
        ({"cats": {"good": 0.0, "bad": 1.0}}, {"cats": {"good": 0.9, "bad": 0.1}}),
        ({"cats": {"good": 1.0, "bad": 0.0}}, {"cats": {"good": 0.2, "bad": 0.8}}),
    ],
}  # fmt: skip
PLACE = "dev.jsonl:"
SURE = [0.6, 0.9, 0.7]  # of every prediction in a text


# Texts that could break a page: (words, gold, predicted) of each, for all components.
_LABELS = [f"label-{i}" for i in range(50)]
_RTL = ["هذا", "نص", "من", "القاهرة"]
ODD: dict[str, list[tuple[list[str], dict[str, Any], dict[str, Any]]]] = {
    "empty": [],
    "no-gold": [(["Ada"], {}, {"ents": [(0, 1, "PER")], "tags": ["N"], "heads": [0], "deps": ["root"], "cats": {"a": 1.0}})],
    "one-label": [(["a", "b"], {"ents": [(0, 1, "X")], "tags": ["X", "X"], "cats": {"X": 1.0}}, {"tags": ["X", "X"]})],
    "fifty-labels": [
        (["a"], {"ents": [(0, 1, label)], "tags": [label], "cats": {one: float(one == label) for one in _LABELS}},
         {"ents": [(0, 1, _LABELS[-1])], "tags": [_LABELS[-1]], "cats": dict.fromkeys(_LABELS, 0.02)})
        for label in _LABELS
    ],
    "right-to-left": [
        (_RTL, {"ents": [(3, 4, "LOC")], "heads": [1, 1, 3, 1], "deps": ["nsubj", "root", "case", "obl"], "tags": ["N"] * 4},
         {"ents": [(2, 4, "LOC")], "heads": [1, 1, 1, 1], "deps": ["nsubj", "root", "case", "obl"], "tags": ["V"] * 4})
    ],
    "huge-text": [
        (["word"] * 20_000, {"ents": [(i, i + 1, "X") for i in range(0, 20_000, 4)], "tags": ["N"] * 20_000,
                             "heads": [max(i - 1, 0) for i in range(20_000)], "deps": ["dep"] * 20_000},
         {"ents": [], "tags": ["V"] * 20_000, "heads": [max(i - 2, 0) for i in range(20_000)], "deps": ["dep"] * 20_000})
    ],
    "huge-word": [
        (["x" * 100_000, "b"], {"ents": [(0, 1, "X")], "tags": ["N", "N"]}, {"ents": [(1, 2, "X")], "tags": ["V", "N"]})
    ],
}  # fmt: skip


def report_on(*names: str) -> Any:
    """What these components, which predict LAYERS, get wrong."""
    rows = []
    for i, words in enumerate(WORDS):
        gold, predicted = ({k: v for name in names for k, v in LAYERS[name][i][side].items()} for side in (0, 1))
        rows.append((words, gold, predicted))
    return report_of(names, rows)


def report_of(names: Sequence[str], rows: Sequence[tuple[list[str], dict[str, Any], dict[str, Any]]]) -> Any:
    """rows: words, gold and predicted annotation of each text."""
    nlp = runner.blank()
    for name in names:
        nlp.add_pipe(name)
    nlp.lexemes.count([Doc(words) for words, _, _ in rows])

    def predict(docs: list[Doc], **_: Any) -> None:
        for i, doc in enumerate(docs):
            given, sure = rows[i][2], SURE[i % len(SURE)]
            for key in ("tags", "heads", "deps", "cats"):
                setattr(doc, key, given.get(key))
                set_confidence(doc, key, [sure] * len(doc) if key != "cats" else given.get(key) or {})
            doc.set_ents(given.get("ents", []))
            for ent in doc.ents:
                ent.confidence = sure

    nlp.predict = predict  # type: ignore[method-assign]
    examples = [
        Example.from_doc(Doc(words, **gold, source=f"{PLACE}{i}")) for i, (words, gold, _) in enumerate(rows, 1)
    ]
    return examine(nlp, examples)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A loopback address that serves each page as MLflow's viewer shows it: with scripts, and nothing else allowed."""
    folder = tmp_path_factory.mktemp("site")
    for names in (*((name,) for name in LAYERS), tuple(LAYERS)):
        text = page(report_on(*names), "mine", "dev.jsonl")
        (folder / f"{'-'.join(names)}.html").write_text(text, encoding="utf8")
    for name, rows in ODD.items():
        text = page(report_of(tuple(LAYERS), rows), "odd", "dev.jsonl")
        (folder / f"{name}.html").write_text(text, encoding="utf8")

    class Sandboxed(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", "sandbox allow-scripts")
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Sandboxed, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    pytest.importorskip("aiohttp", reason="the browser is driven through aiohttp")
    from tests.inspect.browser import CHROMIUM, chromium

    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(site: str, tab: Browser) -> Any:
    def opened(name: str, width: int = 1500, *, is_dark: bool = False) -> Browser:
        tab.problems.clear()
        tab.look(width, is_dark=is_dark)
        tab.open(f"{site}/{name}.html")
        return tab

    return opened


READ = "[...document.querySelectorAll('#list article h3')].map(one => one.textContent)"
SET = """(name, value) => { const one = document.querySelector(`#filters [name=${name}]`); one.value = value;
         one.dispatchEvent(new Event("input", {bubbles: true})); return document.getElementById("status").textContent; }"""


def places(browser: Browser) -> list[int]:
    """The texts that the page lists now, by line."""
    return [int(place.removeprefix(PLACE)) for place in browser.run(READ)]


def choose(browser: Browser, name: str, value: str) -> str:
    """Set a filter; what the page then says."""
    return str(browser.run(f"({SET})({name!r}, {value!r})"))


@pytest.mark.parametrize(
    ("name", "order", "kind", "of_kind", "drawn"),
    [
        ("ner", [1, 2, 3], "wrong type", [2, 1], "mark.gold"),
        ("tagger", [1, 2, 3], "wrong tag", [1, 2, 3], "mark.wrong .gold"),
        ("parser", [3, 1, 2], "wrong label", [2, 1], ".tree svg g.gold path"),
        ("textcat", [2, 3, 1], "wrong category", [2, 3, 1], ".chances .is-gold"),
    ],
)
def test_each_page_filters_sorts_and_draws(opened, name, order, kind, of_kind, drawn):
    browser = opened(name)
    assert places(browser) == order
    assert browser.run(f"document.querySelectorAll({drawn!r}).length") > 0
    assert f"{len(of_kind)} text" in choose(browser, "kind", kind)
    assert places(browser) == of_kind
    assert choose(browser, "text", "slept") == "1 text with 1 error."
    choose(browser, "text", "")
    choose(browser, "sort", "file")
    assert places(browser) == sorted(of_kind)
    assert choose(browser, "least", "80.5") == "1 text with 1 error."
    assert places(browser) == [2]
    browser.run("document.querySelector('#filters [type=reset]').click()")
    assert places(browser) == order
    assert browser.run("window.hacked === undefined")
    assert browser.problems == []


def test_a_number_of_the_matrix_leads_to_its_texts_by_keyboard(opened):
    browser = opened("ner")
    browser.run("document.querySelector('table.matrix a[aria-label=\"PER predicted as LOC: 2\"]').focus()")
    browser.press("Enter", 13)
    assert places(browser) == [2, 1]  # equally many errors: the surest first
    assert browser.run("document.activeElement.id") == "texts-title"
    assert browser.run("document.querySelector('#filters [name=gold]').value") == "PER"


def test_one_component_of_many_can_be_chosen(opened):
    browser = opened("ner-tagger-parser-textcat")
    assert choose(browser, "component", "textcat") == "3 texts with 3 errors."
    kinds = browser.run("[...document.querySelectorAll('#filters [name=kind] option')].map(one => one.value)")
    assert kinds == ["", "wrong category"]
    assert browser.problems == []


def test_the_first_key_leads_past_the_tables(opened):
    browser = opened("ner")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.textContent") == "Skip to the texts"


def test_headings_controls_tables_and_pictures_have_names(opened):
    browser = opened("ner-tagger-parser-textcat", 500)
    levels = browser.run("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert (
        browser.run(
            "[...document.querySelectorAll('#filters input, #filters select')].filter(one => !one.labels.length).length"
        )
        == 0
    )
    assert browser.run("[...document.querySelectorAll('table')].filter(one => !one.caption).length") == 0
    assert browser.run("document.querySelectorAll('svg:not([aria-label]):not([aria-hidden])').length") == 0
    stops = "[...document.querySelectorAll('[tabindex=\"0\"]')]"
    assert (
        browser.run(f"{stops}.filter(one => !one.getAttribute('role') || !one.getAttribute('aria-label')).length") == 0
    )
    assert browser.run(f"{stops}.length") > 0  # at 500 pixels, some tables scroll
    ids = browser.run("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("width", [1500, 800, 360])
def test_nothing_is_wider_than_the_window(opened, width):
    browser = opened("ner-tagger-parser-textcat", width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.scroll')].filter(one => one.querySelector('.matrix'))"
    assert browser.run(f"{boxes}.length") == 4
    assert browser.run(f"{boxes}.every(one => one.scrollHeight <= one.clientHeight)")  # no row is cut


@pytest.mark.parametrize("name", ODD)
def test_odd_data_breaks_no_page(opened, name):
    browser = opened(name)
    assert browser.problems == []
    assert browser.run("document.documentElement.scrollWidth") <= 1500
    assert browser.run("document.querySelectorAll('svg [d*=NaN], svg [x=NaN]').length") == 0
    n_texts = sum(gold != {} for _, gold, _ in ODD[name])
    assert browser.run("document.querySelectorAll('#list article').length") == min(n_texts, 25)
    assert browser.run("document.documentElement.outerHTML.length") < 3_000_000
    if not n_texts:
        assert browser.run("document.getElementById('status').textContent") == "No text has an error."
        assert browser.run("document.getElementById('filters').checkVisibility()") is False


def test_words_from_right_to_left_stand_so(opened):
    browser = opened("right-to-left")
    words = "[...document.querySelectorAll('.tree svg > text')].filter(one => !one.classList.length)"
    at = browser.run(f"{words}.map(one => Number(one.getAttribute('x')))")
    assert len(at) == 4
    assert at == sorted(at, reverse=True)
    assert browser.run("getComputedStyle(document.querySelector('#list .text')).direction") == "rtl"


def test_a_huge_text_is_cut_and_says_so(opened):
    text = opened("huge-text").run("document.querySelector('#list article').textContent")
    assert "Shown are the first 5,000 words of 20,000." in text
    assert "Drawn are the first 60 of 1,250 errors here." in text  # entities among these words


CONTRASTS = """(() => {
  const parse = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = node => { const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const poor = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    const style = getComputedStyle(node), back = ground(node);
    const ink = over(parse(node.closest("svg") ? style.fill : style.color), back);
    const [high, low] = [light(ink), light(back)].sort((a, b) => b - a), ratio = (high + .05) / (low + .05);
    if (ratio < 4.5 || parseFloat(style.fontSize) < 11)
      poor.add(`${node.tagName} ${walker.currentNode.data.trim().slice(0, 20)}: ${ratio.toFixed(2)}, ${style.fontSize}`);
  }
  return [...poor];
})()"""


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_stands_out_from_its_ground_and_is_not_tiny(opened, is_dark):
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3), and letters of at least 11 pixels."""
    browser = opened("ner-tagger-parser-textcat", is_dark=is_dark)
    assert browser.run(CONTRASTS) == []
