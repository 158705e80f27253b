"""The error report as one HTML file that needs nothing beside it, and no script to be read.

The template is error_page.html. The script error_page.js draws the texts anew, with filters; without it the tables, the
curves and the worst texts are there all the same. Every text of a model's or of the data is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from runner import __version__
from runner.components.outcomes import RIGHT, Mark
from runner.foreign import shown, shown_name
from runner.inspect.curves import average_precision, joined
from runner.inspect.embedded import as_script, embedded, n_shown
from runner.inspect.errors import CONFIDENCE, LABEL, SEEN, WORDS, ComponentErrors, ErrorReport, Pair, Text
from runner.secrets import masked
from runner.tracking.drawing import Matrix, matrix_picture

NOTHING = "∅"  # stands where gold or prediction has no label
_HERE = Path(__file__)
_MOST_LABELS = 15  # of a confusion matrix; the others together are one row and column
_MOST_CURVES = 6
_STATIC_TEXTS = 25  # shown without the script
_LONGEST_TEXT = 600  # characters of such a text
_MOST_LINES = 50  # errors of such a text
_LONGEST_WORD = 40  # characters
_MANY_ROWS = 15  # a longer table scrolls
_CAPTIONS = {SEEN: "By presence in the training data", WORDS: "By known words"}


def page(report: ErrorReport, model: str, data: str) -> str:
    """The whole file. model, data: what was examined, as the user named it."""
    environment = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "label": label, "count": count}
    template = environment.from_string(_file(".html"))
    return template.render(
        model=masked(model),
        data=masked(data),
        report=report,
        components=[_Section(component) for component in report.components],
        texts=[_static(text) for text in report.texts[:_STATIC_TEXTS]],
        n_left_out=len(report.texts) - n_shown(report),
        style=Markup(_file(".css")),
        script=Markup(_file(".js")),
        values=Markup(as_script(embedded(report))),
        version=__version__,
        nothing=NOTHING,
    )


def confusion_picture(report: ErrorReport) -> str:
    """The confusion matrices of all components as one SVG; empty if no component has one."""
    matrices = []
    for component in report.components:
        if component.confusion:
            matrix = _Matrix(component)
            rows = [(label(gold), [(n, share, is_right) for n, share, _, is_right in cells], total)
                    for gold, cells, _, total in matrix.rows]  # fmt: skip
            others = f", {matrix.n_other} other labels left out" if matrix.n_other else ""
            title = f"{component.name}: confusion on the dev set, ∅ none{others}"
            matrices.append(Matrix(title, [label(name) for name in matrix.columns], rows))
    return matrix_picture(matrices)


class _Section:
    """What the template shows of one component."""

    def __init__(self, component: ComponentErrors) -> None:
        self.of = component
        self.scores = [(name, value) for name, value in component.scores.items() if value is not None]
        self.frequent = [
            (kind, pair, n, [shown(word, _LONGEST_WORD) for word in words])
            for kind, pair, n, words in component.most_frequent(6)
        ]
        self.worst = component.worst_groups(5)
        self.matrix = _Matrix(component)
        self.groups = [_Group(name, component) for name in component.groups if component.n and name != CONFIDENCE]
        self.confidence = _Group(CONFIDENCE, component) if CONFIDENCE in component.groups else None
        calibration = component.calibration()
        self.calibration_error, self.bins = calibration.ece, joined(calibration.bins)
        areas = {name: average_precision(some) for name, some in component.ranked.items()}
        curves = sorted(component.precision_recall().items(), key=lambda item: -len(component.ranked[item[0]]))
        self.curves = [(name, points, areas[name]) for name, points in curves[:_MOST_CURVES]]
        self.n_more_curves = len(curves) - len(self.curves)
        self.has_nothing = any(None in pair for pair in component.confusion)

    def link(self, kind: str | None = None, pair: Pair | None = None) -> str:
        """The address in the page that shows only these errors."""
        return "#" + urlencode(_filters(self.of.name, kind, pair))


class _Matrix:
    """Gold labels by predicted labels. rows: (label, [(count, shade, predicted label, is right)], …).

    The shade is the square root of the share of the row: frequent errors of well known labels are seen too.
    """

    def __init__(self, component: ComponentErrors) -> None:
        pairs = sorted(component.confusion.items(), key=lambda item: (item[0][0] == item[0][1], -item[1], str(item[0])))
        involved = [name for pair, _ in pairs for name in pair if name is not None]  # of frequent errors first
        some = list(dict.fromkeys(involved))[:_MOST_LABELS]
        self.n_other = len(set(involved)) - len(some)
        columns: list[str | None] = [*sorted(some)]
        has_missed = any(predicted is None for _, predicted in component.confusion)
        has_invented = any(gold is None for gold, _ in component.confusion)
        self.columns = [*columns, *([None] if has_missed else [])]
        self.rows = []
        for gold in [*columns, *([None] if has_invented else [])]:
            total = sum(n for (name, _), n in component.confusion.items() if name == gold)
            if not total:
                continue
            cells = [(component.confusion[gold, predicted], predicted) for predicted in self.columns]
            rest = total - sum(n for n, _ in cells)
            self.rows.append(
                (gold, [(n, (n / total) ** 0.5 if n else 0, name, name == gold) for n, name in cells], rest, total)
            )


class _Group:
    """A table of outcomes by the values of one group. kinds: the kinds of error that occur in it.

    rows: (value, outcomes, right, count of each kind, scores of the label).
    """

    def __init__(self, name: str, component: ComponentErrors) -> None:
        values = component.groups[name]
        self.name = name
        self.is_label = name == LABEL
        self.caption = _CAPTIONS.get(name, f"By {name}")
        self.kinds = [kind for kind in component.wrong_kinds if any(kinds[kind] for kinds in values.values())]
        self.rows = [
            (
                value,
                kinds.total(),
                kinds[RIGHT],
                [kinds[kind] for kind in self.kinds],
                component.per_label.get(value, {}) if self.is_label else {},
            )
            for value, kinds in values.items()
        ]
        self.rows.sort(key=lambda row: (row[2] - row[1], 0.0, row[0]) if self.is_label else _in_order(row[0]))
        self.is_long = len(self.rows) > _MANY_ROWS


def count(n: int) -> str:
    """A whole number, with a comma after thousands."""
    return f"{n:,}"


def percent(share: float | None) -> str:
    """A share of 1 as a percentage, with one digit."""
    return "–" if share is None else f"{100 * share:.1f} %"


def label(name: str | None) -> str:
    """A label as it is shown; a missing one as a sign."""
    return NOTHING if name is None else shown_name(name)


def _filters(component: str, kind: str | None, pair: Pair | None) -> Mapping[str, str]:
    chosen = {"component": shown_name(component)}
    if kind is not None:
        chosen["kind"] = kind
    if pair is not None:
        chosen |= {"gold": label(pair[0]), "predicted": label(pair[1])}
    return chosen


def _in_order(value: str) -> tuple[bool, float, str]:
    """Ranges by their first number, others by name."""
    digits = value.removeprefix("below ").partition(" ")[0].partition("–")[0].rstrip("+")
    try:
        return False, float(digits) - value.startswith("below "), value
    except ValueError:
        return True, 0.0, value


def _static(text: Text) -> dict[str, Any]:
    """A text as the page shows it without the script."""
    lines = []
    for name, outcomes in text.outcomes.items():
        for outcome in outcomes:
            if outcome.kind != RIGHT:
                words = " ".join(text.doc.words[outcome.place.start : outcome.place.end])
                sure = "" if outcome.confidence is None else percent(outcome.confidence)
                gold, predicted = _told(outcome.gold, text), _told(outcome.predicted, text)
                lines.append((name, outcome.kind, shown(words, 80), gold, predicted, sure))
    some = shown(text.doc.text, _LONGEST_TEXT)
    return {"place": text.place, "text": some, "n": text.n_errors, "lines": lines[:_MOST_LINES]}


def _told(mark: Mark | None, text: Text) -> str:
    if mark is None or mark.head is None:
        return label(mark.label if mark is not None else None)
    head = "root" if mark.head == mark.start else f"of {shown(text.doc.words[mark.head], 40)}"
    return f"{label(mark.label)} ({head})"


def _shown(value: Any) -> Any:
    """A value on its way into the page: strangers' texts as `shown` makes them; HTML of our own as it is."""
    return value if isinstance(value, Markup) else shown(str(value))


def _file(suffix: str) -> str:
    return _HERE.with_suffix(suffix).read_text(encoding="utf8")
