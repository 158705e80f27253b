"""How `mlflow.pyfunc.load_model` opens a model of ours: the folder that runner.load reads, nothing pickled.

Named as loader in the MLmodel file that mlflow.py writes. Imports neither MLflow nor pandas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TextModel:
    """Texts in, one dict a text out."""

    def __init__(self, nlp: Any) -> None:
        self.nlp = nlp

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """model_input: a text, a list of texts, or a table whose column `text` (else the first) holds them.

        Each dict has `text` and `ents`: a list of {start, end, label, text}, in characters.
        """
        return [
            {
                "text": doc.text,
                "ents": [
                    {"start": ent.start_char, "end": ent.end_char, "label": ent.label, "text": ent.text}
                    for ent in doc.ents
                ],
            }
            for doc in self.nlp.pipe(texts_of(model_input))
        ]


def texts_of(model_input: Any) -> list[str]:
    """The texts in whatever MLflow hands over.

    >>> texts_of("one"), texts_of(["one", "two"]), texts_of({"text": ["one"]}), texts_of([{"text": "one"}])
    (['one'], ['one', 'two'], ['one'], ['one'])
    """
    if isinstance(model_input, str):
        return [model_input]
    if hasattr(model_input, "columns"):  # a DataFrame
        name = "text" if "text" in model_input.columns else model_input.columns[0]
        return [str(text) for text in model_input[name].tolist()]
    if isinstance(model_input, Mapping):
        return texts_of(model_input["text"])
    return [str(row["text"] if isinstance(row, Mapping) else row) for row in model_input]


def _load_pyfunc(path: str) -> TextModel:
    """MLflow's entry point. path: the folder with our files."""
    import runner

    return TextModel(runner.load(path))
