"""Made-up runs for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.components.counts import score_of
from runner.tracking.past_run import PastRun, Point


@pytest.fixture
def past_run(tmp_path: Path) -> Callable[..., PastRun]:
    """(name, counts of each doc, …) → a run that has ended, with these predictions."""

    def make(
        name: str, docs: Sequence[Mapping[str, Any]] | None, /, texts: Sequence[str] | None = None, **more: Any
    ) -> PastRun:
        path = None
        scores = {}
        if docs is not None:
            path = tmp_path / f"{name}.jsonl"
            texts = texts or [f"text {i}" for i in range(len(docs))]
            lines = [json.dumps({"text": text, "counts": doc}) for text, doc in zip(texts, docs, strict=True)]
            path.write_text("\n".join(lines) + "\n", encoding="utf8")
            keys = {key for doc in docs for key in doc}
            scores = {key: score_of([doc[key] for doc in docs if key in doc]) for key in sorted(keys)}
        score = next(iter(scores.values()), 0.5)
        about: dict[str, Any] = {
            "place": name,
            "name": name,
            "status": "FINISHED",
            "run_id": f"id-{name}",
            "params": {"seed": "0", "optimizer.type": "adam"},
            "datasets": [
                {"name": "tiny", "split": split, "source": "/data/tiny", "digest": split * 8}
                for split in ("train", "dev")
            ],
            "points": [Point(10, 1, score / 2, 8.0), Point(20, 2, score, 4.0), Point(30, 3, score / 2, 2.0)],
            "best": {"score": score, "epoch": 2, "step": 20},
            "scores": scores,
            "final": {"score": score / 2, "epoch": 3, "step": 30},
            "figures": {"train_words": 3000, "seconds": 12.5, "train_words_per_second": 1000},
            "predictions": path,
        }
        return PastRun(**{**about, **more})

    return make
