"""Write a table (CSV) of texts and their categories, with a header line; readers/table.py reads it.

    text,label                              text,SPORT,SCIENCE
    The keeper saved it.,SPORT              A ball on Mars.,1,0.5

If each text has exactly one category, `label` names it. Else there is a column a category, of numbers from 0 to 1, empty
where unknown; to read those, name the columns: label=[SPORT, SCIENCE]. A text without categories is left out of the first form,
and counted, as are words and everything else: the reader's tokenizer makes new words.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from runner.corpus.doc import Doc
from runner.corpus.readers.reader import LeftOut
from runner.corpus.writers.writer import Writer, count_lost
from runner.errors import RunnerError
from runner.registry import writers

_LAYERS = ("entities", "tags", "pos", "heads", "labels")


@writers("table")
def table() -> Writer:
    """A writer of CSV. It takes no options. All docs are held in memory, since the header depends on all of them."""

    def write(docs: Iterable[Doc], left_out: LeftOut) -> Iterator[str]:
        rows: list[tuple[str, dict[str, float] | None]] = []
        for doc in docs:
            count_lost(doc, "a table", left_out, *_LAYERS)
            if doc.meta:
                left_out["docs' meta (a table has no place for it)"] += 1
            if not doc.text.strip():
                left_out["texts of mere white space"] += 1
                continue
            rows.append((doc.text, doc.cats))
        known = sorted({label for _, cats in rows for label in cats or ()})
        if not known:
            hint = "Write .jsonl, which holds everything."
            raise RunnerError("a table holds texts and categories, and there is no category", hint=hint)
        if all(_one(cats) is not None for _, cats in rows if cats):
            left_out["texts without categories (a table has no place for them)"] += sum(not cats for _, cats in rows)
            yield _line(["text", "label"])
            yield from (_line([text, _one(cats) or ""]) for text, cats in rows if cats)
        else:
            if "text" in known:
                raise RunnerError("a category is called 'text', as is the column of texts", hint="Write .jsonl.")
            yield _line(["text", *known])
            yield from (_line([text, *(_number((cats or {}).get(label)) for label in known)]) for text, cats in rows)

    return write


def _one(cats: dict[str, float] | None) -> str | None:
    """The category of value 1, if all others are 0 and its name is one that a cell keeps; else None."""
    present = [label for label, value in (cats or {}).items() if value]
    is_one = len(present) == 1 and cats is not None and cats[present[0]] == 1
    return present[0] if is_one and present[0].strip() == present[0] != "" else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.17g}"


def _line(cells: Sequence[str]) -> str:
    stream = StringIO()
    has_return = any("\r" in cell for cell in cells)  # csv would not quote it
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL).writerow(cells)
    return stream.getvalue()
