"""Read tasks that Label Studio exports as JSON: a text and the annotations of each annotator.

    {"data": {"text": "Ann sleeps"}, "annotations": [{"result": [
        {"type": "labels", "value": {"start": 0, "end": 3, "labels": ["PER"]}},
        {"type": "choices", "value": {"choices": ["SPORT"]}}]}]}

One annotation a task is read: the ground truth, else the first annotation that was not cancelled. Other annotations, tasks
without annotations, relations and other data that a Doc cannot hold are left out, and counted. exports.py reads the short
export (JSON_MIN), where spans and choices stand beside the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.corpus.readers.reader import LeftOut
from runner.errors import RunnerError

_HINT = 'A task is {"data": {"text": "…"}, "annotations": [{"result": [{"type": "labels", "value": {…}}]}]}.'


def is_label_studio(record: Mapping[str, Any]) -> bool:
    """Whether an object looks like a task of Label Studio."""
    return isinstance(record.get("data"), dict) and any(
        isinstance(record.get(key), list) for key in ("annotations", "completions", "predictions")
    )


def read_label_studio(task: Mapping[str, Any], left_out: LeftOut, place: str) -> dict[str, Any] | None:
    """The task's text, entities and choices (with `is_categorized`); None if nobody has annotated the task."""
    text = _text(task["data"], place)
    annotations = task.get("annotations", task.get("completions"))
    whole = [
        annotation
        for annotation in annotations or ()
        if isinstance(annotation, dict)
        and not annotation.get("was_cancelled")
        and isinstance(annotation.get("result"), list)
    ]
    if not whole:
        left_out["tasks that nobody has annotated"] += 1
        return None
    chosen = next((annotation for annotation in whole if annotation.get("ground_truth")), whole[0])
    if len(whole) > 1:
        left_out["annotations by further annotators of a task"] += len(whole) - 1
    record: dict[str, Any] = {"text": text}
    entities: list[Any] = []
    choices: list[str] = []
    kinds = set()
    for i, item in enumerate(chosen["result"]):
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, dict) and isinstance(value.get("labels"), list) and value["labels"]:
            kinds.add("labels")
            entities.append([value.get("start"), value.get("end"), value["labels"][0]])
            if len(value["labels"]) > 1:
                left_out["further labels of a span"] += len(value["labels"]) - 1
        elif isinstance(value, dict) and isinstance(value.get("choices"), list):
            kinds.add("choices")
            choices += map(str, value["choices"])
        elif isinstance(item, dict) and item.get("type"):
            left_out[f"results of the type {str(item['type'])[:40]!r}"] += 1
        else:
            raise RunnerError(f"result {i} has no value", place=place, hint=_HINT)
    if "labels" in kinds or "choices" not in kinds:
        record["entities"] = entities
    if "choices" in kinds:
        record |= {"choices": choices, "is_categorized": True}
    if task.get("id") is not None:
        record["id"] = task["id"]
    return record


def _text(data: Mapping[str, Any], place: str) -> str:
    texts = [value for value in data.values() if isinstance(value, str)]
    text = data["text"] if isinstance(data.get("text"), str) else texts[0] if len(texts) == 1 else None
    if text is None:
        raise RunnerError("the task's data has no 'text'", place=place, hint=_HINT)
    return text
