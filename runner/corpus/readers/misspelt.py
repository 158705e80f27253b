"""Keys of a record that are one or two letters away from a key that would have been read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

KINDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "cats": dict,
    **dict.fromkeys(("words", "tokens", "entities", "ents", "spans", "tags", "ner_tags", "pos", "heads", "deps"), list),
    **dict.fromkeys(("spaces", "sent_starts"), list),
    **dict.fromkeys(("label", "labels", "category", "categories"), (str, int, list, dict)),
}  # key → type of its value: {"post": "…"} is no misspelt {"pos": […]}

TASK_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "answer", "label"), str),
    **dict.fromkeys(("spans", "tokens", "options", "accept"), list),
}  # key → type of its value, in Prodigy's tasks


def misspelt(key: str, record: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]] = KINDS) -> str | None:
    """The known key that an unknown `key` probably means; None if `key` seems to be the user's own.

    Known keys that the record already has are ruled out, and so are keys for values of another type.

    >>> misspelt("entites", {"text": "Ann", "entites": []}), misspelt("next", {"text": "Ann", "next": "Bo"})
    ('entities', None)
    """
    if key in kinds:
        return None
    value = record[key]
    meant = [
        (distance, known)
        for known, distance in _near(key, tuple(kinds))
        if record.get(known) is None and isinstance(value, kinds[known]) and value not in ("", {})
    ]
    return min(meant)[1] if meant else None


def resembles(key: str, kinds: Mapping[str, type | tuple[type, ...]] = KINDS) -> bool:
    """Whether a key is spelt nearly like a known key, whatever its value."""
    return bool(_near(key, tuple(kinds)))


@lru_cache(maxsize=4096)
def _near(key: str, known: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """(known key, distance) pairs at most two letters away, or one letter for keys under five letters."""
    plain = key.strip().lower()
    if len(plain) > 20:
        return ()
    distances = [(name, letters_apart(plain, name)) for name in known]
    return tuple((name, n) for name, n in distances if n <= (1 if min(len(name), len(plain)) < 5 else 2))


def letters_apart(one: str, other: str) -> int:
    """Letters to add, drop, change or swap with their neighbour until one word is the other.

    >>> letters_apart("entites", "entities"), letters_apart("lable", "label"), letters_apart("a", "b")
    (1, 1, 1)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
