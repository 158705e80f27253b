"""How `mlflow.pyfunc.load_model` opens a model of ours: the folder that runner.load reads, nothing pickled.

Named as loader in the MLmodel file that around.py writes. Imports neither MLflow nor pandas before it is asked for an
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import RunnerError

HINT = "Give a text, a list of texts, or a table with a column 'text'."
FIRST_COLUMN = "MLflow hands on the first column alone: put 'text' first, or send no other."
MAX_CHARACTERS = 1_000_000  # of one text: seconds of work, and hundreds of megabytes of arrays
_UNNAMED = ([0], ["0"])  # the columns of a table that MLflow has made of a text, or of a list of texts


class TextModel:
    """Texts in, one record a text out."""

    def __init__(self, nlp: Any) -> None:
        self.nlp = nlp

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """model_input: a text, a list of texts, or a table (or mapping) whose column `text` holds them.

        Each record has `text`, as it was given, and what the pipeline predicts: `entities` as [start, end, label] in
        characters of it; `words` with one value each in `tags`, `pos`, `heads`, `deps`, `sent_starts`; `cats`, label →
        probability; and the parts of components of a user's own. params: {"confidence": True} adds the probability of
        each prediction, as `entity_confidence`. Raises MlflowException, which a server answers as 400, where the input
        is something else, or cannot be predicted.
        """
        from runner.components.records import record_of

        try:
            docs = self.nlp.pipe(texts_of(model_input), confidence=bool((params or {}).get("confidence", False)))
            return [record_of(self.nlp, doc) for doc in docs]
        except RunnerError as error:
            from mlflow.exceptions import MlflowException
            from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from error


def texts_of(model_input: Any) -> list[str]:
    """The texts in whatever MLflow hands over. Raises RunnerError where there is anything else, or nothing.

    >>> texts_of("one"), texts_of(["one", "two"]), texts_of({"text": ["one"]}), texts_of([{"text": "one"}])
    (['one'], ['one', 'two'], ['one'], ['one'])
    """
    if isinstance(model_input, str):
        return [str(model_input)]
    if hasattr(model_input, "columns"):  # a DataFrame
        values = _of_table(model_input, list(model_input.columns))
    elif isinstance(model_input, Mapping):
        values = _column(model_input, list(model_input))
    else:
        values = model_input
    if hasattr(values, "tolist"):  # an array
        values = values.tolist()
    if isinstance(values, str):  # a mapping with one text, an array of no dimension
        values = [values]
    if not isinstance(values, (list, tuple)):
        raise RunnerError(f"the input is {_kind(values)}, not texts", hint=HINT)
    if not values:
        raise RunnerError("the input holds no text", hint=HINT)
    return [_text(value, i) for i, value in enumerate(values)]


def _of_table(table: Any, names: list[Any]) -> Any:
    """The texts in a DataFrame with these columns. Raises RunnerError where there are none."""
    values = table[names[0]] if names in _UNNAMED else _column(table, names)
    if hasattr(values, "columns"):
        raise RunnerError("there are several columns 'text'", hint=HINT)
    first = values.iloc[0] if len(values) == 1 else None
    return first if isinstance(first, list) else values  # MLflow makes one row of {"text": [...]}


def _column(table: Any, names: list[Any]) -> Any:
    """The column `text`. Raises RunnerError where there is none."""
    if "text" not in names:
        listing = ", ".join(repr(str(name))[:40] for name in names[:10]) or "none"
        hint = f"{HINT} {FIRST_COLUMN}" if len(names) == 1 and hasattr(table, "columns") else HINT
        raise RunnerError(f"there is no column 'text' (columns: {listing})", hint=hint)
    return table["text"]


def _text(value: Any, i: int) -> str:
    """The text number `i` of the input, which may be a row with one."""
    if isinstance(value, Mapping):
        value = _column(value, list(value))
    if hasattr(value, "tolist"):  # an array of no dimension
        value = value.tolist()
    if not isinstance(value, str):
        raise RunnerError(f"text {i} of the input (from 0) is {_kind(value)}", hint=HINT)
    if len(value) > MAX_CHARACTERS:
        fact = f"text {i} of the input (from 0) has {len(value):,} characters, more than {MAX_CHARACTERS:,}"
        raise RunnerError(fact, hint="Cut the text into parts.")
    return str(value)


def _kind(value: Any) -> str:
    """What a value is, in the words of JSON."""
    if value is None or (isinstance(value, float) and value != value):  # pandas' NaN for null
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value:.12g}"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _load_pyfunc(path: str) -> TextModel:
    """MLflow's entry point. path: the folder with our files; the user's Python files that it needs lie in `code` beside it.

    Whoever loads a model by MLflow runs the code that travels with it; runner.load does not.
    """
    import runner
    from runner.tracking.mlflow.carried import FOLDER, code_names

    carried = Path(path).parent / FOLDER
    return TextModel(
        runner.load(path, code=[carried / name for name in code_names(Path(path)) if (carried / name).is_file()])
    )
