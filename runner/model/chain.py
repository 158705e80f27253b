"""Run layers one after the other, as one model with its own name."""

from __future__ import annotations

from typing import Any

from thinc.api import Model


def chain(name: str, *layers: Model[Any, Any]) -> Model[Any, Any]:
    """A model that runs `layers` in order; backward in reverse order."""
    return Model(name, forward, layers=list(layers))


def forward(model: Model[Any, Any], X: Any, is_train: bool) -> tuple[Any, Any]:
    backprops = []
    for layer in model.layers:
        X, backprop_layer = layer(X, is_train)
        if is_train:  # a backprop keeps its layer's arrays in memory
            backprops.append(backprop_layer)

    def backprop(dX: Any) -> Any:
        for backprop_layer in reversed(backprops):
            dX = backprop_layer(dX)
        return dX

    return X, backprop
