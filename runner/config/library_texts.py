"""Parts of the messages of Hydra and OmegaConf: a key, a quoted name, a value of the wrong type."""

from __future__ import annotations

import re

_WANTED = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "a text"}


def full_key(error: BaseException) -> str | None:
    """The dotted key that an error of OmegaConf names; None if it names no key."""
    key = getattr(error, "full_key", None)
    if not key:
        match = re.search(r"full_key: (\S+)", str(error))
        key = match.group(1) if match else None
    return str(key) if key else None


def core_text(text: str) -> str:
    """The first line of OmegaConf's message, without its preamble."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "unknown error")
    return re.sub(r"^\w+ raised while resolving interpolation: ", "", first).split(" expecting {")[0]


def quoted(text: str) -> str:
    """The first text in single quotes; "" if nothing is quoted."""
    match = re.search(r"'([^']*)'", text)
    return match.group(1) if match else ""


def first_line(error: BaseException) -> str:
    """The first line of the error's message; the name of its class if it has no message."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return line or type(error).__name__


def wrong_type(text: str) -> str | None:
    """Say in plain words which type a value lacks, by OmegaConf's message; None for other messages."""
    match = re.search(r"Value '(.*)' of type '\w+' (?:could not be converted to|is not) \W*(\w+)", text, re.DOTALL)
    if match:
        return f"{match.group(1)!r} is not {_WANTED.get(match.group(2), match.group(2))}"
    match = re.search(r"Value '(.*)' is not a valid bool", text)
    if match:
        return f"{match.group(1)!r} is not true or false"
    match = re.search(r"Cannot convert '\w+' to (\w+): '(.*)'", text)
    if match:
        return f"{match.group(2)} is not {_WANTED.get(match.group(1).capitalize(), match.group(1))}"
    if "is not a subclass of" in text or re.search(r"Cannot assign \w+ to Dict", text):
        return "keys with values are needed here"
    if "Incompatible value 'None'" in text or "is not Optional" in text:
        return "it cannot be null"
    return None
