"""What lets notebooks show a pipeline: the values of its table, drawn by the room `notebook`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from math import prod
from typing import Any

from runner.components.base import Component
from runner.model.parameters import Parameters
from runner.notebook.table import Row, pipeline_html


def drawn(
    components: Mapping[str, Component],
    enabled: Collection[str],
    parameters: Parameters,
    lang: str,
    meta: Mapping[str, Any],
) -> str:
    """The table as HTML. enabled: names of the components that take part. meta: of the pipeline, with its scores if trained."""
    n_weights = Counter[str]()
    for path, (_, shape) in parameters.layout.items():
        n_weights[path.partition("/")[0]] += prod(shape)
    scores = {key: value for key, value in (meta.get("scores") or {}).items() if value is not None}
    rows = [
        Row(
            name,
            component.type,
            component.labels,
            n_weights.pop(name, 0),
            {
                key: scores[key]
                for key in dict.fromkeys((*component.columns, *component.score_weights))
                if key in scores
            },
            is_off=name not in enabled,
        )
        for name, component in components.items()
    ]
    rows += [Row(owner, "shared by the components", (), n, {}) for owner, n in n_weights.items()]
    head = [lang, f"{sum(row.n_weights for row in rows):,} weights"]
    if meta.get("epoch") is not None:
        head.append(f"epoch {meta['epoch']}")
    if meta.get("score") is not None:
        head.append(f"score {100 * meta['score']:.2f} %")
    return pipeline_html(head, rows)
