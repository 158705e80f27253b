"""Read JSON lines as Prodigy exports them: tasks and the answers to them.

    {"text": "Ada met Lin.", "spans": [{"start": 0, "end": 3, "label": "PER"}], "_view_id": "ner_manual", "answer": "accept"}
    {"text": "It broke.", "label": "COMPLAINT", "answer": "reject"}
    {"text": "It broke.", "options": [{"id": "A"}, {"id": "B"}], "accept": ["A"], "answer": "accept"}

Meaning of each answer (a missing answer counts as `accept`):

    spans      accept: the spans are all entities of the text; in the view `ner`, words outside the spans are unknown.
               reject: some span is wrong; the task is left out
    label      accept: the category is 1.0; reject: the category is 0.0
    options    accept: options in `accept` are 1.0, others 0.0; reject: a single option in `accept` is 0.0
    ignore     the task is left out

Tasks with nothing to train on are left out, and counted by reason. Spans are offsets of characters, or `token_start` and
`token_end` (inclusive). Words are the task's `tokens` without white-space tokens; if there are no tokens,
the tokenizer splits the text. Each answer gives a doc, also for the same text. `Doc.meta` keeps `meta` and the user's
own keys, but not Prodigy's keys (hashes, time, session, view, config, score, …). Relations are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.corpus.annotations import read_annotations
from runner.corpus.doc import Doc
from runner.corpus.readers.jsonl import parse
from runner.corpus.readers.lines import no_examples, read_lines
from runner.corpus.readers.misspelt import TASK_KINDS, misspelt, resembles
from runner.corpus.readers.reader import LeftOut, Reader, Remark, Remarks
from runner.corpus.tokenizer import Tokenizer, syntok
from runner.errors import RunnerError
from runner.registry import readers

ANSWERS = ("accept", "reject", "ignore")
_OWN_KEYS = frozenset(
    (
        "text", "tokens", "spans", "answer", "label", "options", "accept", "config", "priority", "score", "html",
        "relations", "words", "spaces", "entities", "tags", "pos", "heads", "deps", "sent_starts", "cats",
    )
)  # fmt: skip
_BINARY = "ner"  # the view that shows one entity and asks whether it is right


@readers("prodigy")
def prodigy() -> Reader:
    """A reader of Prodigy's JSON lines. It takes no options."""

    def read(path: Path, tokenizer: Tokenizer | None = None, left_out: LeftOut | None = None) -> Iterator[Doc]:
        """The docs of one file. tokenizer: for tasks without tokens; None is the default one."""

        def tasks() -> Iterator[tuple[str, Any]]:
            for number, line in read_lines(path):
                if line and not line.isspace():
                    yield f"{path}:{number}", parse(line, f"{path}:{number}")

        tally = left_out if left_out is not None else LeftOut()
        remarks = tally.opened(path)
        yield from read_tasks(tasks(), tokenizer, tally, remarks)
        if not remarks.n_records:
            raise no_examples(path)

    return read


def read_tasks(
    tasks: Iterable[tuple[str, Any]], tokenizer: Tokenizer | None, left_out: LeftOut, remarks: Remarks
) -> Iterator[Doc]:
    """The docs of (place, task) pairs."""
    seen = set(_OWN_KEYS)  # keys that need no spelling check
    for place, task in tasks:
        remarks.n_records += 1
        if not isinstance(task, dict):
            raise RunnerError(
                "it is JSON, but no object", place=place, hint='A task is {"text": "…", "answer": "accept"}.'
            )
        if tokenizer is None and not task.get("tokens"):
            tokenizer = syntok()
        if not task.keys() <= seen:
            for key in task.keys() - seen:
                if meant := misspelt(key, task, TASK_KINDS):
                    remarks.add(Remark(f"key {key!r}, did you mean {meant!r}?", "", True), place)
                elif not resembles(key, TASK_KINDS) and len(seen) < 10_000:
                    seen.add(key)
        doc = _read_task(task, tokenizer, place, left_out)
        if doc is not None:
            yield doc


def is_task(record: Mapping[str, Any]) -> bool:
    """Whether an object of a JSON lines file is a Prodigy task, not a record in the simple training style."""
    return "text" in record and (
        record.get("answer") in ANSWERS
        or "_task_hash" in record
        or (isinstance(record.get("options"), list) and isinstance(record.get("accept"), list))
        or (
            isinstance(spans := record.get("spans"), list)
            and "entities" not in record
            and (not spans or isinstance(spans[0], dict))
        )
    )


def _read_task(task: dict[str, Any], tokenizer: Tokenizer | None, place: str, left_out: LeftOut) -> Doc | None:
    """The doc of one task; None if the task holds nothing to train on."""
    answer = task.get("answer", "accept")
    if answer not in ANSWERS:
        raise RunnerError(f"the answer is {answer!r:.40}", place=place, hint=f"It is one of {', '.join(ANSWERS)}.")
    if not isinstance(task.get("text"), str):
        raise RunnerError("there is no 'text'", place=place, hint="Tasks of images or sound cannot be read.")
    if task.get("relations"):
        left_out["tasks' relations"] += 1
    if answer == "ignore":
        left_out['tasks with the answer "ignore"'] += 1
        return None
    record: dict[str, Any] = {"text": task["text"]}
    is_choice = task.get("options") is not None
    is_label = task.get("label") is not None
    is_partial = False
    if is_choice:
        cats = _choice(task, answer, place)
        if cats is None:
            left_out["choices that tell nothing (rejected, or none made of single ones)"] += 1
            return None
        record["cats"] = cats
    elif is_label and task.get("_view_id") != _BINARY:
        if not isinstance(task["label"], str) or not task["label"].strip():
            raise RunnerError(f"the label is {task['label']!r:.40}", place=place, hint="Give the name of a category.")
        record["cats"] = {task["label"]: float(answer == "accept")}
    elif task.get("spans") is not None:
        if answer == "reject":
            left_out['tasks with the answer "reject" (their entities are wrong, and the right ones not known)'] += 1
            return None
        record["entities"] = _entities(task, place)
        is_partial = task.get("_view_id") == _BINARY
    elif answer == "reject":
        left_out['tasks with the answer "reject" and no annotation'] += 1
        return None
    words = _words(task, place)
    n_blank = sum(word.isspace() for word in words or ())
    if words is not None:
        record["words"] = [word for word in words if not word.isspace()]
    record.update((key, value) for key, value in task.items() if key not in _OWN_KEYS and not key.startswith("_"))
    doc = read_annotations(record, tokenizer, source=place)
    if n_blank:
        left_out["tokens of mere white space"] += n_blank
    if is_partial:
        bounds = [0, *(bound for ent in doc.ents for bound in (ent.start, ent.end)), len(doc)]
        doc.unknown_ents = [(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if a < b]
    return doc


def _words(task: Mapping[str, Any], place: str) -> list[str] | None:
    tokens = task.get("tokens")
    if not tokens:
        return None
    if not isinstance(tokens, list):
        raise RunnerError("'tokens' is no list", place=place, hint='Give [{"text": "…", "start": 0, "end": 1}, …].')
    for i, token in enumerate(tokens):
        if not isinstance(token, dict) or not isinstance(token.get("text"), str) or not token["text"]:
            raise RunnerError(
                f"tokens[{i}] has no 'text'", place=place, hint='Give {"text": "…", "start": 0, "end": 1}.'
            )
    return [token["text"] for token in tokens]


def _entities(task: Mapping[str, Any], place: str) -> list[tuple[Any, Any, Any]]:
    """(start, end, label) of each span; spans given by tokens take the tokens' character offsets."""
    spans = task["spans"]
    if not isinstance(spans, list):
        raise RunnerError("'spans' is no list", place=place, hint='Give [{"start": 0, "end": 3, "label": "PER"}].')
    entities = []
    for i, span in enumerate(spans):
        if not isinstance(span, dict):
            raise RunnerError(
                f"spans[{i}] is no object", place=place, hint='Give {"start": 0, "end": 3, "label": "PER"}.'
            )
        label = span.get("label", task.get("label"))
        if "start" in span and "end" in span:
            entities.append((span["start"], span["end"], label))
            continue
        try:
            first, last = task["tokens"][span["token_start"]], task["tokens"][span["token_end"]]
            is_inside = span["token_start"] >= 0 and span["token_end"] >= 0
            entities.append((first["start"], last["end"], label))
        except (KeyError, IndexError, TypeError):
            is_inside = False
        if not is_inside:
            raise RunnerError(
                f"spans[{i}] has no place",
                place=place,
                hint="Give start and end in characters, or token_start and token_end, and tokens with start and end.",
            )
    return entities


def _choice(task: Mapping[str, Any], answer: str, place: str) -> dict[str, float] | None:
    """Category → 0.0 or 1.0; None if the choice tells nothing."""
    options, accepted = task["options"], task.get("accept") or []
    hint = 'Give "options": [{"id": "A"}, {"id": "B"}] and "accept": ["A"].'
    if not isinstance(options, list) or not isinstance(accepted, list):
        raise RunnerError("'options' or 'accept' is no list", place=place, hint=hint)
    names = []
    for i, option in enumerate(options):
        name = option.get("id") if isinstance(option, dict) else None
        if type(name) not in (str, int) or not str(name).strip():
            raise RunnerError(f"options[{i}] has no 'id'", place=place, hint=hint)
        names.append(str(name))
    chosen = [str(name) for name in accepted]
    known, held = set(names), set(chosen)
    for name in chosen:
        if name not in known:
            raise RunnerError(f"{name[:40]!r} was chosen and is no option", place=place, hint=hint)
    if answer == "reject":
        return {chosen[0]: 0.0} if len(chosen) == 1 else None
    config = task.get("config")
    style = config.get("choice_style") if isinstance(config, dict) else None
    if not chosen and style == "single":
        return None
    return {name: float(name in held) for name in names}
