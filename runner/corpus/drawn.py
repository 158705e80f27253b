"""What lets notebooks show a doc or a span: `_repr_html_`, drawn by the room `notebook` when it is asked for."""

from __future__ import annotations

from typing import Any


class DrawnDoc:
    """Base of Doc."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from runner.notebook.doc import doc_html

        doc: Any = self
        return doc_html(doc)


class DrawnSpan:
    """Base of Span."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from runner.notebook.doc import span_html

        span: Any = self
        return span_html(span.doc, span)
