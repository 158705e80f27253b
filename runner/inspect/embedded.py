"""The texts with errors as compact values for the error page's script (error_page.js), which draws them on demand.

    {"components": [{"name": "ner", "view": "spans", "kinds": ["right", "missed"], "labels": ["LOC", "PER"]}],
     "texts": [{"p": "dev.jsonl:7", "i": 6, "w": ["Bo ", "slept", "."],
                "n": 3, "o": [[1, 0, 1, 1, -1, -1, -1, -1]], "c": [[]]}]}

p: the place. i: the position among the texts examined. w: each word with the blank after it; of a very long text the first
words, and n: the number of all. o: for each component eight
whole numbers an outcome: kind; start, end (of an arc: the head) and label of the gold mark; the same of the predicted mark;
confidence in thousandths. -1: nothing. c: for each component three numbers a label that the text could have: label,
probability in thousandths, 1 if gold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from runner.components.outcomes import RIGHT, Chance, Mark, Outcome
from runner.foreign import shown, shown_name
from runner.inspect.errors import ErrorReport, Text

MAX_WORDS = 60_000  # of the embedded texts together: some 4 MB with trees
_MOST_WORDS_OF_A_TEXT = 5_000
_LONGEST_WORD = 100  # characters
_MOST_CHANCES = 8  # labels of a text, the most probable first; gold ones always
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def embedded(report: ErrorReport) -> dict[str, Any]:
    """The values for the script. Texts that exceed MAX_WORDS are left out, those with fewest errors first."""
    components = [component for component in report.components if component.tells]
    kinds = [{kind: i for i, kind in enumerate((RIGHT, *component.wrong_kinds))} for component in components]
    labels = [{label: i for i, label in enumerate(component.labels)} for component in components]
    texts = []
    for text in _shown_texts(report):
        rows, chances = [], []
        for component, kind_rows, label_rows in zip(components, kinds, labels, strict=True):
            outcomes = text.outcomes.get(component.name, [])
            if component.view == "words":  # only the wrong words are marked
                outcomes = [outcome for outcome in outcomes if outcome.kind != RIGHT]
            if component.view != "text" and len(text.doc) > _MOST_WORDS_OF_A_TEXT:
                outcomes = [outcome for outcome in outcomes if _is_embedded(outcome)]
            rows.append([n for outcome in outcomes for n in _row(outcome, kind_rows, label_rows)])
            chances.append(_chances(text.chances.get(component.name, []), label_rows))
        words = islice(zip(text.doc.words, text.doc.spaces, strict=True), _MOST_WORDS_OF_A_TEXT)
        drawn = [shown(word, _LONGEST_WORD) + " " * space for word, space in words]
        texts.append(
            {"p": shown(text.place), "i": text.position, "w": drawn, "n": len(text.doc), "o": rows, "c": chances}
        )
    about = [
        {"name": shown_name(c.name), "view": c.view, "kinds": list(k), "labels": [shown_name(x) for x in c.labels]}
        for c, k in zip(components, kinds, strict=True)
    ]
    return {"components": about, "texts": texts}


def as_script(values: Any) -> str:
    """The values as JSON that is safe inside a <script> element: nothing in them can end it, or begin a comment."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def n_shown(report: ErrorReport) -> int:
    """The number of texts that are embedded."""
    return sum(1 for _ in _shown_texts(report))


def _shown_texts(report: ErrorReport) -> Iterator[Text]:
    n_words = 0
    for text in report.texts:
        n_words += min(len(text.doc), _MOST_WORDS_OF_A_TEXT)
        if n_words > MAX_WORDS:
            return
        yield text


def _is_embedded(outcome: Outcome) -> bool:
    """Whether all of the outcome lies in the words that are embedded."""
    marks = [mark for mark in (outcome.gold, outcome.predicted) if mark is not None]
    return all(max(mark.end, (mark.head or 0) + 1) <= _MOST_WORDS_OF_A_TEXT for mark in marks)


def _row(outcome: Outcome, kinds: Mapping[str, int], labels: Mapping[str, int]) -> list[int]:
    confidence = -1 if outcome.confidence is None else round(1000 * outcome.confidence)
    return [kinds[outcome.kind], *_mark(outcome.gold, labels), *_mark(outcome.predicted, labels), confidence]


def _mark(mark: Mark | None, labels: Mapping[str, int]) -> tuple[int, int, int]:
    if mark is None:
        return -1, -1, -1
    return mark.start, mark.end if mark.head is None else mark.head, labels[mark.label]


def _chances(chances: list[Chance], labels: Mapping[str, int]) -> list[int]:
    ranked = sorted(chances, key=lambda chance: -chance.probability)
    some = [c for i, c in enumerate(ranked) if (i < _MOST_CHANCES or c.is_gold) and c.label in labels]
    return [n for c in some for n in (labels[c.label], round(1000 * c.probability), int(c.is_gold))]
