"""The signature of a logged model: what it takes and what it answers, in MLflow's types.

The input is one value without a name or a type, and flavor.py says what is wrong with it. With a named column MLflow refuses
a text and a list of texts before the model sees them; without a name it takes both, and a table whose first column is
`text`. With the type `string` MLflow makes texts of what is none: {"inputs": [null, 7]} arrives as "None" and "7".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType, Array, Map, Object, Property

MAX_KEYS = 30  # of an object whose keys, such as the labels of a classifier, are told
_KINDS = {bool: DataType.boolean, int: DataType.long, float: DataType.double, str: DataType.string}


def signature_of(answer: Mapping[str, Any] | None) -> ModelSignature:
    """The signature of a model. answer: a record that it gave; None if none is known."""
    outputs = None
    if answer is not None:
        outputs = Schema([ColSpec(type_of(value), name=str(name)) for name, value in answer.items()])
    params = ParamSchema([ParamSpec("confidence", DataType.boolean, False)])
    return ModelSignature(Schema([ColSpec(AnyType())]), outputs, params)


def type_of(value: Any) -> Any:
    """MLflow's type of a JSON value.

    >>> type_of([[0, 3, "PER"]]), type_of({"YES": 0.9, "NO": 0.1}), type_of([])
    (Array(Array(Any)), {NO: double (required), YES: double (required)}, Array(Any))
    """
    if isinstance(value, (list, tuple)):
        return Array(_common([type_of(item) for item in value]))
    if isinstance(value, Mapping) and value:
        kinds = {str(key): type_of(item) for key, item in value.items()}
        common = _common(list(kinds.values()))
        if len(kinds) > MAX_KEYS and not isinstance(common, AnyType):
            return Map(common)  # which MLflow's page shows without the keys
        return Object([Property(key, kind) for key, kind in kinds.items()])
    return _KINDS.get(type(value), AnyType())


def _common(kinds: list[Any]) -> Any:
    """The type of all these values; AnyType where they differ, or there is none."""
    return kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else AnyType()
